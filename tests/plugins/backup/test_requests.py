"""How many requests a backup costs: counted as they leave, through the six steps as a triggerer runs them."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from airflow.triggers.base import TaskSuccessEvent

from perennial.hooks.vault.memory import memories
from perennial.steps.trigger import StepTrigger
from tests.support.aws_calls import AwsCalls, Request, counting
from tests.support.holdings import assert_one_of_each
from tests.support.neighbours import Neighbours, daily
from tests.support.restores import backed_up
from tests.support.steps import TODAY
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

TOMORROW = "acme|daily|2026-11-24"
MOST, MOST_WRITES = 16, 12.75
"""For each tenant of a shared volume; under load leases are read again, and what is written stays the same."""


async def carry_out(step: StepTrigger) -> None:
    """Run a step to its event, as a triggerer does."""
    (event,) = [event async for event in step.run()]
    assert isinstance(event, TaskSuccessEvent)


def back_up_counted(world: World, request: str, *, each_elsewhere: bool = False) -> AwsCalls:
    """Run the steps one after the other, all in one process or each in one that has seen nothing of the others."""

    async def begin(step: StepTrigger) -> None:
        if each_elsewhere:
            memories.pop()
        await carry_out(step)

    with counting(world) as calls:
        for step in world.steps(request):
            calls.step = step.step_id
            world.runner.run(begin(step))
    print(calls.table())
    assert_one_of_each(world, request)
    return calls


def own(calls: AwsCalls) -> list[Request]:
    """The requests to S3 but for those of its shared snapshots, which all tenants of a volume have in common."""
    return [one for one in calls.of("s3") if not (one.step.startswith("Snapshot") and one.is_of_shared_snapshots)]


def test_a_daily_backup_sends_few_requests(world: World) -> None:
    first, second = own(back_up_counted(world, TODAY)), own(back_up_counted(world, TOMORROW))
    # What is looked for once: the lease, and all tenants that were ever restored.
    assert len(first) <= 15
    assert len(second) <= 13
    assert {request.action for request in second} == {"PutObject", "HeadObject"}


def test_tenants_that_share_their_volumes_send_few_requests(neighbours: Neighbours) -> None:
    neighbours.add(*(f"tenant-{number}" for number in range(7)))
    world, tenants = neighbours.world, neighbours.tenants

    async def chain(tenant: str) -> None:
        for step in world.steps(daily(tenant), f"run-{tenant}"):
            await carry_out(step)

    async def all_at_once() -> None:
        await asyncio.gather(*map(chain, tenants))

    with counting(world) as calls:
        world.runner.run(all_at_once())
    print(calls.table())
    assert len(calls.of("s3")) <= MOST * len(tenants)
    assert sum(call.action == "PutObject" for call in calls.of("s3")) <= MOST_WRITES * len(tenants)
    assert len(calls.of("ec2", "ssm")) <= 4 * len(tenants)


def test_two_triggerers_cost_a_step_two_reads(world: World) -> None:
    alone, apart = own(back_up_counted(world, TODAY)), own(back_up_counted(world, TOMORROW, each_elsewhere=True))
    assert len(apart) <= len(alone) + 2 * 5


def test_half_restored_sites_are_looked_for_once_after_each_restore(backed_up: World) -> None:
    def listed(request: str) -> int:
        calls = [call for call in back_up_counted(backed_up, request).of("s3") if call.step.startswith("Open")]
        return Counter(call.action for call in calls)["ListObjectsV2"]

    backed_up.restore()
    assert [listed(TOMORROW), listed("acme|daily|2026-11-25")] == [1, 0]
