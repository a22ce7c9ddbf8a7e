"""The backup slots of a SQL Server: no more run at once than it has, and who waits asks it for nothing."""

from __future__ import annotations

import asyncio

import pytest

from perennial.hooks.sql_server import tsql
from tests.support.steps import BACKUP, chain_before
from tests.support.world import World

pytestmark = pytest.mark.lab

TENANTS = ["acme", "globex", "initech"]


def test_no_more_backups_run_on_a_server_than_it_has_slots_and_who_waits_asks_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERENNIAL_BACKUPS_PER_SERVER", "1")
    for name in TENANTS[1:]:
        world.add_tenant(name)
    requests = [f"{name}|daily|2026-11-23" for name in TENANTS]
    for request in requests:
        for step in chain_before(BACKUP):
            world.run(step, request)
    query = "SELECT COUNT(*) FROM sys.dm_exec_requests WHERE command LIKE N'BACKUP%'"
    most, asked, take_lock = 0, list[str](), tsql.take_lock

    def noted(name: str) -> str:
        asked.append(name)
        return take_lock(name)

    async def all_at_once() -> None:
        nonlocal most
        backups = [asyncio.create_task(world.step(BACKUP, r).work_within_deadline()) for r in requests]
        while not all(task.done() for task in backups):
            most = max(most, int((await asyncio.to_thread(world.sql.run, query))[0][0]))
            await asyncio.sleep(0.1)
        await asyncio.gather(*backups)

    monkeypatch.setattr(tsql, "take_lock", noted)
    with world.sql.slowed(backup_seconds=1):
        world.runner.run(all_at_once())
    assert most == 1
    assert len(asked) == len(TENANTS)


def test_a_slot_that_another_process_has_taken_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERENNIAL_BACKUPS_PER_SERVER", "1")
    request = "acme|daily|2026-11-23"
    for step in chain_before(BACKUP):
        world.run(step, request)

    async def wait() -> None:
        backup = asyncio.create_task(world.step(BACKUP, request).work_within_deadline())
        await asyncio.sleep(1)
        assert not backup.done()
        others.close()
        assert (await backup)["keys"]

    others = world.sql.connect()
    cursor = others.cursor()
    cursor.execute(tsql.take_lock(f"{tsql.LOCK_PREFIX}0"))
    assert cursor.fetchall() == [(0,)]
    world.runner.run(wait())
