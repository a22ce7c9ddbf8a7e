"""What retention decides of shared snapshots, without a vault."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.rules.points.manifest import Manifest
from include.rules.points.parts import ClaimName, SnapshotPart, SnapshotRole
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState, SnapshotUser
from include.rules.points.transitions import State
from include.rules.retention.shared import (
    SharedEntry,
    is_extra,
    lists_to_leave,
    may_be_forgotten,
)
from tests.unit.builders import running, verified

HOUR = timedelta(hours=1)
MOMENT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
VOLUME = "vol-0123456789abcdef0"


def document(number: int = 1, **changes: object) -> SharedSnapshot:
    """A shared snapshot that acme and globex use."""
    users = tuple(
        SnapshotUser(tenant=tenant, point=f"{tenant}-daily-20261123", token=1) for tenant in ("acme", "globex")
    )
    made = SharedSnapshot(
        volume=VOLUME,
        id=f"20261123-{number:04d}",
        nonce="one",
        state=ShareState.STARTED,
        owner="run",
        snapshot_id="snap-0123456789abcdef0",
        users=users,
    )
    return made.model_copy(update=changes)


def using(manifest: Manifest, *numbers: int) -> Manifest:
    """The point with the shared snapshots of these claims as its parts."""
    for role, number in zip(SnapshotRole, numbers, strict=False):
        part = SnapshotPart(
            snapshot_id="snap-0123456789abcdef0",
            volume_id=VOLUME,
            started_at=MOMENT,
            size_gib=8,
            claim=f"20261123-{number:04d}",
        )
        manifest = manifest.with_snapshot(role, part)
    return manifest


LISTS = [SharedEntry.of(document(1)), SharedEntry.of(document(2)), SharedEntry.of(document(3))]


def test_a_point_vouches_for_the_shared_snapshots_that_its_parts_name_and_no_others() -> None:
    assert using(verified(), 1, 2).parts.claims == {
        ClaimName(VOLUME, "20261123-0001"),
        ClaimName(VOLUME, "20261123-0002"),
    }
    assert verified().parts.claims == frozenset()


def test_a_complete_point_leaves_every_list_that_it_has_no_part_of() -> None:
    assert lists_to_leave(using(verified(), 1, 2), LISTS) == (ClaimName(VOLUME, "20261123-0003"),)
    assert lists_to_leave(using(verified(), 1, 2), LISTS[:2]) == ()


@pytest.mark.parametrize("state", [State.RUNNING, State.FAILED, State.EXPIRING, State.EXPIRED])
def test_a_point_that_is_at_work_or_failed_or_goes_leaves_none_of_its_lists(state: State) -> None:
    point = using(verified(), 1).model_copy(update={"state": state})
    assert lists_to_leave(point, LISTS) == ()


def test_a_point_whose_manifest_has_lost_a_part_leaves_none_it_may_be_the_only_copy() -> None:
    point = using(verified(), 1, 2)
    edited = point.model_copy(update={"parts": point.parts.model_copy(update={"db_snapshot": None})})
    assert lists_to_leave(edited, LISTS) == ()


def test_a_claim_that_never_came_to_a_snapshot_is_left_by_a_point_that_has_failed_and_by_none_at_work() -> None:
    claimed = [SharedEntry.of(document(state=ShareState.CLAIMED, snapshot_id=None))]
    assert lists_to_leave(running().model_copy(update={"state": State.FAILED}), claimed) == (claimed[0].name,)
    assert lists_to_leave(running(), claimed) == ()


def test_another_snapshot_of_a_claim_is_an_extra_once_every_look_up_has_caught_up() -> None:
    one = document()
    assert is_extra("snap-2", MOMENT, one, MOMENT + HOUR)
    assert not is_extra("snap-2", MOMENT, one, MOMENT + HOUR - timedelta(seconds=1))
    assert not is_extra("snap-0123456789abcdef0", MOMENT, one, MOMENT + 9 * HOUR)
    assert not is_extra("snap-2", MOMENT, document(snapshot_id=None), MOMENT + 9 * HOUR)


def test_a_document_is_forgotten_when_its_name_cannot_come_again() -> None:
    over = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
    assert may_be_forgotten(document(), MOMENT, over)
    assert not may_be_forgotten(document(), MOMENT, over - timedelta(seconds=1))


def test_a_claim_of_which_no_snapshot_is_known_is_forgotten_when_none_can_turn_up_any_more() -> None:
    late = datetime(2026, 11, 30, tzinfo=UTC)
    given_up = document(snapshot_id=None, state=ShareState.DELETING)
    assert not may_be_forgotten(given_up, late, late + HOUR - timedelta(seconds=1))
    assert may_be_forgotten(given_up, late, late + HOUR)
