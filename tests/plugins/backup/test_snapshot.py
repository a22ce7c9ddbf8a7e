"""The steps that take snapshots: what Amazon refuses, loses on the way or breaks off."""

from __future__ import annotations

import pytest

from include.rules.errors import PartError
from include.rules.points.transitions import State
from tests.support.holdings import assert_one_of_each
from tests.support.steps import CLOSE, DATABASE, OPEN, TODAY, VERIFY, WEB, chain_before, chain_from
from tests.support.world import World

pytestmark = pytest.mark.lab


def test_a_snapshot_whose_answer_was_lost_is_adopted_and_not_asked_for_again(world: World) -> None:
    world.run(OPEN, TODAY)
    world.cloud.add_fault("ec2:CreateSnapshot", after=True, drop=True)
    world.run(WEB, TODAY)
    assert len(world.snapshots(TODAY)) == 1
    for step in chain_from(DATABASE):
        world.run(step, TODAY)
    assert_one_of_each(world, TODAY)


def test_throttled_snapshots_are_asked_for_until_amazon_grants_them(world: World) -> None:
    world.cloud.add_fault("ec2:CreateSnapshot", code="SnapshotCreationPerVolumeRateExceeded", times=3)
    world.cloud.add_fault("ec2:CreateSnapshot", code="ConcurrentSnapshotLimitExceeded", times=1)
    world.back_up(TODAY)
    assert_one_of_each(world, TODAY)


def test_a_missing_volume_fails_this_tenant_with_a_message_and_no_other(world: World) -> None:
    world.add_tenant("globex")
    world.entries["acme"]["web"]["volume"] = "vol-00000000000000bad"
    world.write_register()
    world.run(OPEN, TODAY)
    with pytest.raises(PartError, match=r"Volume vol-00000000000000bad of tenant acme was not snapshotted: AWS"):
        world.run(WEB, TODAY)
    with pytest.raises(PartError, match=r"acme-daily-20261123 of tenant acme is failed.*was not snapshotted"):
        world.run(CLOSE, TODAY)
    assert world.manifest(TODAY).state is State.FAILED
    assert world.lease("acme").owner is None
    assert world.back_up("globex|daily|2026-11-23").state is State.VERIFIED


def test_a_snapshot_that_ends_in_error_is_not_adopted_by_the_next_attempt(world: World) -> None:
    for step in chain_before(VERIFY):
        world.run(step, TODAY)
    world.cloud.set_snapshot_state(world.snapshots(TODAY)[0]["SnapshotId"], "error")
    with pytest.raises(PartError, match=r"of tenant acme is error \(The lab was told to let this snapshot fail\)"):
        world.run(VERIFY, TODAY)
    with pytest.raises(PartError):
        world.run(CLOSE, TODAY)
    world.back_up(TODAY, "run-2")
    assert_one_of_each(world, TODAY)
