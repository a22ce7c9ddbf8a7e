"""The step `close`: it locks what is verified, deletes nothing, and leaves what is over to retention."""

from __future__ import annotations

import pytest

from include.rules.points.transitions import State
from tests.support.holdings import assert_one_of_each
from tests.support.steps import CLOSE, OPEN, TODAY, chain_before
from tests.support.world import World

pytestmark = pytest.mark.lab


def test_what_a_broken_attempt_has_left_stays_for_retention_to_sweep(world: World) -> None:
    for step in chain_before(CLOSE):
        world.run(step, TODAY)
    place, key = world.vault.documents, world.files(TODAY)[0].replace("full-01", "full-99")
    world.storage.client().put_object(Bucket=place.bucket, Key=place.prefix + key, Body=b"half")
    world.cloud.add_fault("ec2:DeleteSnapshot", code="UnauthorizedOperation", status=403, times=None)
    world.storage.faults.add("s3:DeleteObject", code="AccessDenied", status=403, times=None)
    world.run(CLOSE, TODAY)
    assert key in world.files(TODAY)
    assert world.manifest(TODAY).state is State.VERIFIED
    assert (world.cloud.fault_hits(), world.storage.faults.hits()) == ([], [])


def test_beside_a_manifest_that_does_not_name_all_its_parts_nothing_is_lost(world: World) -> None:
    """Somebody has edited it: what it does not name may be the only copy."""
    point = world.back_up(TODAY)
    without = point.parts.model_copy(update={"bak": None, "web_snapshot": None})
    edit = world.vault.change_point("acme", point.id, lambda m: m.model_copy(update={"parts": without}))
    world.runner.run(edit)
    world.run(OPEN, TODAY, "run-2")
    assert len(world.files(TODAY)) == 1
    assert len(world.snapshots(TODAY)) == 2


def test_a_point_that_is_verified_already_stays_as_it_is(world: World) -> None:
    before = world.back_up(TODAY)
    world.back_up(TODAY, "run-2")
    assert assert_one_of_each(world, TODAY).parts == before.parts
