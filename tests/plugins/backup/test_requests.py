"""How many requests to S3 a backup costs: counted as they leave, through the six steps as a triggerer runs them."""

from __future__ import annotations

from collections import Counter

import pytest
from airflow.triggers.base import TaskSuccessEvent, TriggerEvent

from perennial.hooks.vault.memory import memories
from tests.support.aws_calls import AwsCalls, counting
from tests.support.holdings import assert_one_of_each
from tests.support.restores import backed_up
from tests.support.steps import TODAY
from tests.support.world import PLANS, World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

TOMORROW = "acme|daily|2026-11-24"
MOST = 24
"""Six of them are for snapshots that the tenant shares with nobody: two claims are looked for, written and begun."""


@pytest.fixture(autouse=True)
def window(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plans' own window, in which a second backup finds a snapshot to join."""
    monkeypatch.setitem(PLANS, "standard", {**PLANS["standard"], "snapshot_window_minutes": 15})
    world.write_register()


def back_up_counted(world: World, request: str, *, each_elsewhere: bool = False) -> AwsCalls:
    """Run the steps to their events, all in one process or each in one that has seen nothing of the others."""
    steps = {str(step.step_id): step for step in world.steps(request)}

    async def events(step: str) -> TriggerEvent:
        if each_elsewhere:
            memories.pop()
        (event,) = [event async for event in steps[step].run()]
        return event

    with counting(world) as calls:
        for name in steps:
            calls.step = name
            assert isinstance(world.runner.run(events(name)), TaskSuccessEvent)
    print(calls.table())
    assert_one_of_each(world, request)
    return calls


def test_a_daily_backup_sends_few_requests(world: World) -> None:
    first = back_up_counted(world, TODAY).of("s3")
    assert len(first) <= MOST
    second = back_up_counted(world, TOMORROW).of("s3")
    # The lease is known, and so is that nothing is half restored; two snapshots are joined by one write each.
    assert len(second) == len(first) - 2 - 4


def test_two_triggerers_cost_a_step_two_reads(world: World) -> None:
    alone = back_up_counted(world, TODAY).of("s3")
    apart = back_up_counted(world, TOMORROW, each_elsewhere=True).of("s3")
    assert len(apart) <= len(alone) + 2 * 5


def test_half_restored_sites_are_looked_for_once_after_each_restore(backed_up: World) -> None:
    def listed(request: str) -> int:
        actions = Counter(r.action for r in back_up_counted(backed_up, request).of("s3") if r.step.startswith("Open"))
        return actions["ListObjectsV2"]

    backed_up.restore()
    assert [listed(TOMORROW), listed("acme|daily|2026-11-25")] == [1, 0]
