"""The steps that take snapshots: what Amazon refuses, loses on the way or breaks off."""

from __future__ import annotations

import pytest

from include.rules.errors import PartError, UnavailableError
from include.rules.points.transitions import State
from perennial.hooks.aws import retries
from perennial.hooks.aws.errors import AwsRejectedError
from tests.support.holdings import assert_one_of_each
from tests.support.steps import CLOSE, DATABASE, OPEN, TODAY, VERIFY, WEB, chain_before, chain_from
from tests.support.waits import shorten
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


def test_a_full_quota_is_not_waited_for_and_is_called_by_its_name(world: World) -> None:
    world.run(OPEN, TODAY)
    world.cloud.add_fault("ec2:CreateSnapshot", code="SnapshotLimitExceeded", times=None)
    with pytest.raises(PartError, match=r"SnapshotLimitExceeded.*higher quota"):
        world.run(WEB, TODAY)
    assert len(world.cloud.fault_hits()) == 1


def test_a_snapshot_that_amazon_does_not_grant_is_given_up_with_its_last_word(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch, "SNAPSHOT_GRANTED", 1)
    world.run(OPEN, TODAY)
    world.cloud.add_fault("ec2:CreateSnapshot", code="ConcurrentSnapshotLimitExceeded", times=None)
    with pytest.raises(PartError, match="ConcurrentSnapshotLimitExceeded"):
        world.run(WEB, TODAY)
    assert len(world.cloud.fault_hits()) > 1


def test_a_step_that_comes_to_its_deadline_says_what_it_waited_for(world: World) -> None:
    world.run(OPEN, TODAY)
    world.cloud.add_fault("ec2:CreateSnapshot", code="ConcurrentSnapshotLimitExceeded", times=None)
    step = world.step(WEB, TODAY)
    step.deadline = 3
    with pytest.raises(UnavailableError, match=r"it waited for a snapshot of volume vol-\w+: AWS says Concurrent"):
        world.runner.run(step.work_within_deadline())
    assert "it waited for a snapshot of volume" in str(world.manifest(TODAY).failure)


def test_look_ups_that_are_throttled_for_a_while_do_not_fail_a_backup(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "LONGEST_PAUSE", 0.2)
    for step in chain_before(VERIFY):
        world.run(step, TODAY)
    world.cloud.add_fault("ec2:DescribeSnapshots", code="RequestLimitExceeded", status=503, times=7)
    world.run(VERIFY, TODAY)
    world.run(CLOSE, TODAY)
    assert_one_of_each(world, TODAY)


def test_amazon_that_may_not_be_asked_for_snapshots_is_not_asked_until_the_deadline(world: World) -> None:
    for step in chain_before(VERIFY):
        world.run(step, TODAY)
    world.cloud.add_fault("ec2:DescribeSnapshots", code="UnauthorizedOperation", status=403, times=None)
    with pytest.raises(AwsRejectedError, match="UnauthorizedOperation"):
        world.run(VERIFY, TODAY)
    world.cloud.clear_faults()
    for step in chain_from(VERIFY):
        world.run(step, TODAY)
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
