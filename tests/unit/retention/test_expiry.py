"""How a recovery point goes: marked, perhaps taken back, deleted, a tombstone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from include.rules.errors import RefusedError
from include.rules.points.holds import Hold
from include.rules.points.manifest import Manifest
from include.rules.points.transitions import State
from include.rules.retention.expiry import abandoned, deletion_begun, found_whole, lifted, marked, taken_back, tombstone
from include.rules.retention.expiry import held as placed
from tests.unit.builders import NOW, running, verified

HOLD = Hold(reason="case 4711", author="ada", placed_at=NOW)
LATER = NOW + timedelta(days=1)


def held(manifest: Manifest) -> Manifest:
    return manifest.model_copy(update={"hold": HOLD})


def test_a_marked_point_comes_back_as_what_it_was() -> None:
    expiring = marked(verified(), NOW)
    assert expiring.state is State.EXPIRING
    assert taken_back(expiring) == verified()
    assert placed(expiring, HOLD) == held(verified())


def test_taking_back_for_a_new_reason_leaves_the_hold_alone() -> None:
    assert taken_back(held(marked(verified(), NOW))).hold == HOLD


def test_a_point_whose_deletion_has_begun_cannot_be_taken_back() -> None:
    deleting = deletion_begun(marked(verified(), NOW), LATER)
    with pytest.raises(
        RefusedError, match=r"acme-daily-20261123 of tenant acme has been losing its parts since 2026-11-24"
    ):
        taken_back(deleting)


def test_a_deletion_that_is_begun_again_began_the_first_time() -> None:
    deleting = deletion_begun(marked(verified(), NOW), LATER)
    assert deletion_begun(deleting, LATER + timedelta(hours=5)) == deleting


def test_a_hold_that_was_placed_since_the_plan_stops_the_mark_and_the_deletion() -> None:
    message = r"is under a hold for ever \(case 4711, placed by ada\)\. It was left as it is\. Lift the hold first"
    with pytest.raises(RefusedError, match=message):
        marked(held(verified()), NOW)
    with pytest.raises(RefusedError, match=message):
        deletion_begun(held(marked(verified(), NOW)), LATER)


def test_a_hold_that_is_over_stops_nothing() -> None:
    over = verified().model_copy(update={"hold": HOLD.model_copy(update={"until": NOW.date()})})
    assert marked(over, LATER).state is State.EXPIRING


@pytest.mark.parametrize("manifest", [running(), marked(verified(), NOW), tombstone(marked(verified(), NOW), NOW)])
def test_what_is_no_finished_point_is_not_marked(manifest: Manifest) -> None:
    with pytest.raises(RefusedError, match=f"is {manifest.state}. It was left as it is. Start `retention` again"):
        marked(manifest, NOW)


def test_what_is_not_marked_is_not_deleted_nor_taken_back() -> None:
    with pytest.raises(RefusedError, match="is verified, not expiring"):
        deletion_begun(verified(), NOW)
    with pytest.raises(RefusedError, match="is verified, not expiring"):
        taken_back(verified())


def test_a_tombstone_says_what_the_point_was() -> None:
    dead = tombstone(deletion_begun(marked(verified(), NOW), LATER), LATER)
    assert dead.expiry
    assert (dead.state, dead.expiry.previous_state, dead.expiry.marked_at) == (State.EXPIRED, State.VERIFIED, NOW)


def test_a_manifest_is_read_with_a_mark_only_while_it_expires() -> None:
    for damaged in (
        {**verified().model_dump(), "state": "expiring"},
        {**marked(verified(), NOW).model_dump(), "state": "verified"},
    ):
        with pytest.raises(ValidationError, match="a recovery point that is"):
            Manifest.model_validate(damaged)
    assert Manifest.model_validate(marked(verified(), NOW).model_dump(mode="json")) == marked(verified(), NOW)


def test_an_abandoned_attempt_has_failed_and_says_so() -> None:
    failed = abandoned(running(), LATER)
    assert (failed.state, failed.failure, failed.closed_at) == (
        State.FAILED, "No run was at work on it any more.", LATER
    )  # fmt: skip
    assert abandoned(running().with_failure("no disk"), LATER).failure == "no disk"


def test_a_hold_that_was_placed_while_the_last_part_went_leaves_no_tombstone() -> None:
    deleting = held(deletion_begun(marked(verified(), NOW), LATER))
    with pytest.raises(RefusedError, match="What its deletion had left of it was left as it is"):
        tombstone(deleting, LATER)


def test_a_second_hold_does_not_take_the_place_of_another_persons() -> None:
    other = Hold(reason="look at it", author="bob", placed_at=LATER, until=LATER.date())
    with pytest.raises(
        RefusedError, match=r"under a hold already, for ever \(case 4711, placed by ada\).*Ask ada.*`lift_hold` first"
    ):
        placed(held(verified()), other)
    over = HOLD.model_copy(update={"until": NOW.date()})
    assert placed(verified().model_copy(update={"hold": over}), other).hold == other


def test_the_same_hold_again_changes_nothing() -> None:
    assert placed(held(verified()), HOLD.model_copy(update={"placed_at": LATER})) == held(verified())


def test_who_placed_a_hold_and_who_ended_it_stays_in_the_manifest() -> None:
    longer = HOLD.model_copy(update={"reason": "case 4711, appeal", "placed_at": LATER})
    last = lifted(placed(held(verified()), longer), "bob", LATER)
    assert last.hold is None
    assert [(one.reason, one.author, one.ended_by, one.ended_at) for one in last.past_holds] == [
        ("case 4711", "ada", "ada", LATER),
        ("case 4711, appeal", "ada", "bob", LATER),
    ]
    assert Manifest.model_validate(last.model_dump(mode="json")) == last


def test_a_held_point_that_is_found_whole_is_again_what_it_was() -> None:
    deleting = deletion_begun(marked(verified(), NOW), LATER)
    assert found_whole(placed(deleting, HOLD)) == held(verified())
    with pytest.raises(RefusedError, match="not under a hold any more"):
        found_whole(deleting)
