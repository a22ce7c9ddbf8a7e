"""Backups that break off: whatever point they had come to, one recovery point comes of the next attempt."""

from __future__ import annotations

import asyncio
import time
from datetime import date, timedelta

import pytest

from include.rules.errors import LeaseLostError, PartError
from include.rules.points.transitions import State
from lab.testing.deadlines import within
from lab.waiting import wait_until
from tests.support.holdings import assert_one_of_each
from tests.support.steps import BACKUP, CHAIN, CLOSE, DATABASE, OPEN, TODAY, VERIFY, WEB, chain_before, chain_from
from tests.support.world import World

pytestmark = pytest.mark.lab


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("stripe_mb", "every"),
    [
        pytest.param("50000", 1, marks=pytest.mark.sweep),
        pytest.param("0.01", 4, marks=pytest.mark.sweep),
        ("50000", 8),
    ],
)
def test_a_step_cut_off_at_any_await_and_begun_again_ends_in_one_recovery_point(
    world: World, monkeypatch: pytest.MonkeyPatch, stripe_mb: str, every: int
) -> None:
    monkeypatch.setenv("PERENNIAL_STRIPE_MB", stripe_mb)
    for number, suspension in enumerate(range(1, 200, every)):
        request, elsewhere = f"acme|daily|{date(2026, 1, 1) + timedelta(days=suspension)}", number % 2 == 1
        reached = [world.cut_off_and_run_again(step, request, suspension, elsewhere=elsewhere) for step in CHAIN]
        bak = assert_one_of_each(world, request).parts.bak
        assert bak
        assert (len(bak.files) > 1) == (stripe_mb == "0.01")
        if not any(reached):
            break
        world.forget_shared_snapshots()
    else:
        pytest.fail("the steps never came to their end")
    assert suspension > 10


@pytest.mark.parametrize("after", range(1, len(CHAIN) - 1))
def test_a_run_cleared_in_the_middle_goes_on_under_the_same_id(world: World, after: int) -> None:
    for step in CHAIN[:after]:
        world.run(step, TODAY)
    world.back_up(TODAY)
    assert assert_one_of_each(world, TODAY).attempt == 1


def test_a_new_attempt_adopts_what_the_failed_one_has_made(world: World) -> None:
    for step in chain_before(VERIFY):
        world.run(step, TODAY)
    with pytest.raises(PartError, match="is failed, not verified"):
        world.run(CLOSE, TODAY)
    first = world.manifest(TODAY)
    second = world.back_up(TODAY, "run-2")
    assert second.attempt == 2
    assert second.parts == first.parts
    assert_one_of_each(world, TODAY)


def test_a_backup_that_a_dead_attempt_left_running_is_waited_for_and_adopted(world: World) -> None:
    for step in chain_before(BACKUP):
        world.run(step, TODAY)

    async def cut_then_again() -> None:
        first = asyncio.create_task(world.step(BACKUP, TODAY).work_within_deadline())
        await asyncio.sleep(1.5)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        result = await world.step(BACKUP, TODAY).work_within_deadline()
        assert str(result["keys"][0]).endswith("full-01.bak")

    with world.sql.slowed(backup_seconds=4):
        world.runner.run(cut_then_again())
    for step in chain_from(VERIFY):
        world.run(step, TODAY)
    assert_one_of_each(world, TODAY)


def test_a_run_marked_failed_in_the_middle_of_its_backup_leaves_nothing_behind(world: World) -> None:
    for step in chain_before(BACKUP):
        world.run(step, TODAY)

    async def mark_failed() -> None:
        trigger = world.step(BACKUP, TODAY)
        task = asyncio.create_task(trigger.work_within_deadline())
        await asyncio.sleep(1.5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await trigger.on_kill()
        with pytest.raises(PartError, match="The task was ended from outside"):
            await world.step(CLOSE, TODAY).work_within_deadline()

    with world.sql.slowed(backup_seconds=20):
        world.runner.run(mark_failed())
    assert world.manifest(TODAY).state is State.FAILED
    assert world.lease("acme").owner is None
    assert world.files(TODAY) == []
    sessions = "SELECT COUNT(*) FROM sys.dm_exec_sessions WHERE program_name LIKE N'perennial % acme-daily-20261123'"
    wait_until(lambda: world.sql.run(sessions)[0][0] == 0, within(10), "the statement's session goes on")


def test_a_step_of_an_outranked_run_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_LEASE_SECONDS", "0.1")
    world.run(OPEN, TODAY)
    time.sleep(0.2)
    monkeypatch.setenv("PERENNIAL_LEASE_SECONDS", "600")
    world.run(OPEN, TODAY, "run-2")
    for step in (WEB, DATABASE, BACKUP, VERIFY, CLOSE):
        with pytest.raises(LeaseLostError):
            world.run(step, TODAY)
    assert world.snapshots(TODAY) == []
    for step in CHAIN[1:]:
        world.run(step, TODAY, "run-2")
    assert_one_of_each(world, TODAY)
