"""What points need of shared snapshots, and what may be needed for all that is known, without a vault."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.rules.points.holds import Hold
from include.rules.points.manifest import Expiry, Manifest
from include.rules.points.parts import ClaimName, SnapshotPart, SnapshotRole
from include.rules.points.shared_snapshots import ShareState
from include.rules.points.transitions import State
from include.rules.register.register import Register
from include.rules.retention.reports import NAMED
from include.rules.retention.shared import SharedEntry
from include.rules.retention.shared_errors import in_doubt_error
from include.rules.retention.wanted import WantedSnapshots, needs_parts, volumes_in_doubt
from tests.unit.builders import tenant, verified

MOMENT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
NAME = ClaimName("vol-0123456789abcdef0", "20261123-0001")
IN_GRACE = Expiry(marked_at=MOMENT, previous_state=State.VERIFIED)
BEGUN = IN_GRACE.model_copy(update={"deletion_began_at": MOMENT})
HOLD = Hold(reason="case 4711", author="ada", placed_at=MOMENT)


def point(state: State = State.VERIFIED, **changes: object) -> Manifest:
    """A point of acme whose web snapshot is shared."""
    part = SnapshotPart(
        snapshot_id="snap-0123456789abcdef0", volume_id=NAME.volume, started_at=MOMENT, size_gib=8, claim=NAME.id
    )
    return verified().with_snapshot(SnapshotRole.WEB, part).model_copy(update={"state": state, **changes})


def entry(volume: str, *tenants: str) -> SharedEntry:
    """A shared snapshot in which the bytes of these tenants are known to be."""
    name = ClaimName(volume, "20261123-0001")
    return SharedEntry(name, (), ShareState.SEALED, "snap-1", (), frozenset(tenants))


@pytest.mark.parametrize("state", [State.VERIFIED, State.PENDING, State.FAILED, State.RUNNING])
def test_a_point_that_is_not_expiring_needs_its_parts_for_the_whole_run(state: State) -> None:
    wanted = WantedSnapshots()
    wanted.note(point(state))
    assert wanted.claims == {NAME}


def test_an_expiring_point_needs_them_until_its_deletion_begins_and_under_a_hold_what_is_left() -> None:
    wanted = WantedSnapshots()
    wanted.note(point(State.EXPIRING, expiry=IN_GRACE))
    assert wanted.claims == {NAME}
    wanted.note(point(State.EXPIRING, expiry=BEGUN))
    assert wanted.claims == frozenset()
    wanted.note(point(State.EXPIRING, expiry=BEGUN, hold=HOLD))
    assert wanted.claims == {NAME}
    wanted.note(point(State.EXPIRED, expiry=BEGUN))
    assert wanted.claims == frozenset()
    assert not needs_parts(point(State.EXPIRED, expiry=IN_GRACE))


def test_a_tenant_that_is_not_known_in_full_puts_its_volumes_in_doubt_and_no_others() -> None:
    register = Register(tenants={"acme": tenant("acme"), "globex": tenant("globex")})
    entries = [entry("vol-1", "acme", "globex"), entry("vol-2", "globex"), entry("vol-3", "initech")]
    unread = [ClaimName("vol-4", "20261123-0001")]
    assert volumes_in_doubt({}, entries, unread, register) == {}
    acme = register.tenants["acme"]
    assert volumes_in_doubt({"acme": {"vol-9"}}, entries, [], register) == {
        volume: {"acme"} for volume in ("vol-1", "vol-9", acme.web.volume, acme.database.volume)
    }
    assert volumes_in_doubt({"initech": ()}, entries, [], register) == {"vol-3": {"initech"}}
    assert volumes_in_doubt({"initech": ()}, [], unread, register) == {"vol-4": {"initech"}}


def test_the_message_names_some_snapshots_and_all_tenants() -> None:
    names = [ClaimName("vol-1", f"20261123-{number:04d}") for number in range(NAMED + 2)]
    message = str(in_doubt_error(names, {"globex", "acme"}))
    assert f"{names[NAMED - 1]}, 2 more, and they were not deleted" in message
    assert "not all points of tenants acme, globex could be looked at" in message
