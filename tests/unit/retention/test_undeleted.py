"""What AWS's refusals of a deletion mean, and for whom."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.rules.points.transitions import State
from include.rules.retention.undeleted import LOCK_HOLDS, Refused
from tests.unit.builders import NOW

NO_RIGHT = (
    "User: arn:aws:iam::123456789012:user/clock is not authorized to perform: s3:DeleteObjectVersion on resource: "
    "arn:aws:s3:::locked-vault/recovery-points/blockbuster/Locked/full-01.bak"
)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("SnapshotLocked", "The snapshot cannot be deleted."),
        ("OperationNotPermitted", "The snapshot snap-1 is locked."),
        ("AccessDenied", "Access Denied because object protected by object lock."),
        ("", LOCK_HOLDS),
    ],
)
def test_a_lock_is_known_by_its_code_or_by_what_aws_says(code: str, message: str) -> None:
    refused = Refused("snapshot snap-1", code, message)
    assert refused.locked
    assert not refused.for_person
    assert refused.said("acme", "p", State.EXPIRING).startswith("LOCKED: ")


def test_a_missing_right_is_no_lock_whatever_the_names_that_aws_quotes() -> None:
    refused = Refused("full-01.bak", "AccessDenied", NO_RIGHT)
    assert refused.for_person
    assert "docs/iam-policy.json" in refused.said("blockbuster", "p", State.EXPIRING)


def test_a_lock_whose_end_is_known_says_so() -> None:
    said = Refused("full-01.bak", "AccessDenied", "no", locked_until=NOW + timedelta(days=2)).said(
        "acme", "p", State.EXPIRING
    )
    assert "Its lock ends on 2026-11-25 09:00Z; nothing has to be done." in said


@pytest.mark.parametrize(
    ("state", "again"),
    [
        (State.EXPIRING, "The point stays `expiring` and counts for nothing"),
        (State.EXPIRED, "Nothing else is left of the point, which is `expired`"),
        (State.VERIFIED, "It is no part of the point any more, which is as it was"),
    ],
)
def test_what_becomes_of_the_point_is_said_as_it_is(state: State, again: str) -> None:
    assert f"{again}; the next `retention` tries again." in Refused("part", "SlowDown", "", transient=True).said(
        "acme", "p", state
    )
