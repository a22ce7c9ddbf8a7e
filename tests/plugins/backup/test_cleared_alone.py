"""Steps of a backup that are cleared alone, or taken over, whatever state their run is in."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from airflow.triggers.base import TaskSuccessEvent, TriggerEvent

from include.rules.errors import LeaseLostError, PartError, RefusedError
from include.rules.points.transitions import State
from perennial.steps import alone
from perennial.steps.trigger import StepTrigger
from tests.support.holdings import assert_one_of_each
from tests.support.steps import BACKUP, CHAIN, CLOSE, DATABASE, OPEN, TODAY, VERIFY, WEB, chain_before, chain_from
from tests.support.world import World

pytestmark = pytest.mark.lab

MIDDLE = [WEB, DATABASE, BACKUP, VERIFY]


def airflow_says(monkeypatch: pytest.MonkeyPatch, **states: str | None) -> None:
    """Let Airflow answer what has become of the run's tasks."""

    async def answer(_: Any) -> Mapping[str, str | None]:
        return states

    monkeypatch.setattr(alone, "task_states", answer)


def test_when_the_point_is_verified_no_step_cleared_alone_changes_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = world.back_up(TODAY)
    airflow_says(monkeypatch, verify="success", close=None)
    for step in CHAIN:
        world.run(step, TODAY)
    assert world.manifest(TODAY).model_copy(update={"token": 0}) == before.model_copy(update={"token": 0})
    assert_one_of_each(world, TODAY)
    assert world.lease("acme").owner is None


def test_when_the_run_has_failed_only_open_with_all_after_it_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in chain_before(BACKUP):
        world.run(step, TODAY)
    with pytest.raises(PartError, match="is failed, not verified"):
        world.run(CLOSE, TODAY)
    for step in MIDDLE:
        with pytest.raises(LeaseLostError, match="clear the first task of this run"):
            world.run(step, TODAY)
    with pytest.raises(PartError, match="is failed, not verified"):
        world.run(CLOSE, TODAY)
    airflow_says(monkeypatch, snapshot_web_volume="success", backup_database="failed", close=None)
    with pytest.raises(RefusedError, match=r"was cleared alone.*Clear this task again, with all tasks after it"):
        world.run(OPEN, TODAY)
    assert world.manifest(TODAY).state is State.FAILED
    assert world.lease("acme").owner is None
    airflow_says(monkeypatch, backup_database=None, close=None)
    world.back_up(TODAY)
    assert_one_of_each(world, TODAY)


def test_open_is_not_begun_again_beside_another_step_of_its_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in chain_before(BACKUP):
        world.run(step, TODAY)
    token = world.lease("acme").token
    airflow_says(monkeypatch, backup_database="deferred", close=None)
    with pytest.raises(RefusedError, match="was cleared while backup_database of the same run is at work"):
        world.run(OPEN, TODAY)
    assert world.lease("acme").token == token
    for step in chain_from(BACKUP):
        world.run(step, TODAY)
    assert_one_of_each(world, TODAY)


def test_a_statement_that_a_stalled_incarnation_runs_is_left_to_its_successor(world: World) -> None:
    for step in chain_before(BACKUP):
        world.run(step, TODAY)

    async def take_over() -> None:
        first, second = world.step(BACKUP, TODAY), world.step(BACKUP, TODAY)
        of_first = asyncio.create_task(_events(first))
        await asyncio.sleep(1.5)
        of_second = asyncio.create_task(_events(second))
        await asyncio.sleep(1.5)
        of_first.cancel()  # by its triggerer, which goes on and finds that it has lost its triggers
        await asyncio.gather(of_first, return_exceptions=True)
        await first.on_kill()
        (event,) = await of_second
        assert isinstance(event, TaskSuccessEvent)
        assert str(event.xcoms).count("full-01.bak") == 1, "the statement was ended, and began again"

    with world.sql.slowed(backup_seconds=6):
        world.runner.run(take_over())
    for step in chain_from(VERIFY):
        world.run(step, TODAY)
    assert_one_of_each(world, TODAY)


async def _events(trigger: StepTrigger) -> list[TriggerEvent]:
    return [event async for event in trigger.run()]
