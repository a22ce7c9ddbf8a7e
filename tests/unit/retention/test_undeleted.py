"""What AWS's refusals of a deletion mean, and for whom."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.rules.points.transitions import State
from include.rules.retention.undeleted import LOCK_HOLDS, UndeletedPart
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
    part = UndeletedPart("snapshot snap-1", code, message)
    assert part.locked
    assert not part.needs_operator
    assert part.describe("acme", "p", State.EXPIRING).startswith("LOCKED: ")


def test_a_missing_right_is_no_lock_whatever_the_names_that_aws_quotes() -> None:
    part = UndeletedPart("full-01.bak", "AccessDenied", NO_RIGHT)
    assert part.needs_operator
    assert "docs/iam-policy.json" in part.describe("blockbuster", "p", State.EXPIRING)


def test_a_lock_whose_end_is_known_says_so() -> None:
    message = UndeletedPart("full-01.bak", "AccessDenied", "no", locked_until=NOW + timedelta(days=2)).describe(
        "acme", "p", State.EXPIRING
    )
    assert "Its lock ends on 2026-11-25 09:00Z; nothing has to be done." in message


def test_a_legal_hold_is_named_with_who_lifts_it_and_calls_nobody() -> None:
    part = UndeletedPart("full-01.bak", "AccessDenied", "no", NOW + timedelta(days=2), legal_hold=True)
    assert not part.needs_operator
    message = part.describe("acme", "p", State.EXPIRING)
    assert message.startswith("LOCKED: full-01.bak")
    assert "has a legal hold on it (S3 Object Lock): it goes once whoever has placed it has lifted it" in message


@pytest.mark.parametrize(
    ("state", "again"),
    [
        (State.EXPIRING, "The point stays `expiring` and counts for nothing"),
        (State.EXPIRED, "Nothing else is left of the point, which is `expired`"),
        (State.VERIFIED, "It is no part of the point any more, which is as it was"),
    ],
)
def test_what_becomes_of_the_point_is_said_as_it_is(state: State, again: str) -> None:
    assert f"{again}; the next `retention` tries again." in UndeletedPart(
        "part", "SlowDown", "", transient=True
    ).describe("acme", "p", state)
