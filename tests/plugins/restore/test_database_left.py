"""What a restore of a database leaves when it is broken off: nothing of somebody else's gone, all of its own named."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from include.rules.errors import DamagedBackupError, PartError, PerennialError
from include.rules.restore.request import DatabaseSource
from perennial.hooks.sql_server import databases
from perennial.restore.database import RestoreDatabaseTrigger
from perennial.restore.database_preparation import PrepareDatabaseTrigger
from tests.support.restores import access, backed_up, damage, database, is_offline, record
from tests.support.steps import RESTORE, TODAY, Step, steps_until
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

POSITION = [cls for cls, _ in RESTORE].index(RestoreDatabaseTrigger)
RESTORE_DATABASE: Step = RESTORE[POSITION]


def test_a_database_that_somebody_has_made_under_the_name_of_a_failed_restore_is_not_dropped(
    backed_up: World,
) -> None:
    name = f"{database(backed_up)}_old"
    form = {"what": "database", "database": name}
    backed_up.run_restore_step(RESTORE[0], **form)
    damage(backed_up)
    with pytest.raises(DamagedBackupError):
        backed_up.carry_out(RESTORE[1:], **form)
    with pytest.raises(PartError) as caught:
        backed_up.run_restore_step(RESTORE[-1], **form)
    assert "partly" not in str(caught.value)  # what it had made is gone
    backed_up.sql.run(f"CREATE DATABASE [{name}]")
    backed_up.sql.run("CREATE TABLE dbo.mine (id INT)", database=name)
    with pytest.raises(PerennialError):
        backed_up.carry_out(RESTORE[1:], **form)
    assert backed_up.sql.run("SELECT COUNT(*) FROM dbo.mine", database=name) == [(0,)]


def test_a_killed_restore_under_another_name_leaves_no_half_restored_database(backed_up: World) -> None:
    name = f"{database(backed_up)}_old"
    form = {"what": "database", "database": name}
    backed_up.carry_out(RESTORE[:POSITION], **form)
    state = f"SELECT state_desc FROM sys.databases WHERE name = N'{name}'"

    async def killed() -> None:
        trigger = backed_up.restore_step(RESTORE_DATABASE, **form)
        task = asyncio.create_task(trigger.work_within_deadline())
        while not await asyncio.to_thread(backed_up.sql.run, state):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await trigger.on_kill()

    with backed_up.sql.slowed(restore_seconds=20):
        backed_up.runner.run(killed())
    with pytest.raises(PartError) as caught:
        backed_up.run_restore_step(RESTORE[-1], **form)
    assert "partly" not in str(caught.value)
    assert backed_up.sql.run(state) == []


def test_files_copied_from_the_snapshot_are_named_when_the_restore_does_not_come_to_its_end(
    backed_up: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {"what": "database", "database_from": "snapshot"}
    rows = backed_up.rows("acme")
    backed_up.carry_out(steps_until(PrepareDatabaseTrigger), **form)

    def killed(*_: Any) -> None:
        raise PartError("Killed before the files were attached.")

    with monkeypatch.context() as patched:
        patched.setattr("perennial.restore.database_preparation.attach_new", killed)
        with pytest.raises(PartError):
            backed_up.run_restore_step((PrepareDatabaseTrigger, {}), **form)
    with pytest.raises(PartError) as caught:
        backed_up.run_restore_step(RESTORE[-1], **form)
    files = record(backed_up, **form).copied_files
    assert len(files) == 2
    assert f"are left on {backed_up.entries['acme']['database']['instance']}: {', '.join(files)}." in str(caught.value)
    assert "Tenant acme is as it was: nothing was overwritten." in str(caught.value)
    assert not is_offline(backed_up)
    backed_up.carry_out(RESTORE[1:], **form)
    assert backed_up.rows("acme") == rows


def test_a_database_of_a_new_name_that_nobody_has_checked_is_named(
    backed_up: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{database(backed_up)}_old"

    def killed(*_: Any) -> None:
        raise PartError("Killed before the check.")

    for number, source in enumerate(DatabaseSource):
        form = {"what": "database", "database": f"{name}_{source}", "database_from": str(source)}
        form["moment"] = f"2026-11-23T12:0{number}:00Z"
        with monkeypatch.context() as patched:
            patched.setattr(databases, "check", killed)
            with pytest.raises(PartError):
                backed_up.restore(**form)
        with pytest.raises(PartError, match=f"Database {name}_{source} is of this restore's making, and nobody has"):
            backed_up.run_restore_step(RESTORE[-1], **form)
        backed_up.carry_out(RESTORE[1:], **form)


def test_a_backup_that_cannot_be_opened_any_more_leaves_the_tenant_as_it_was_and_online(lent_world: World) -> None:
    form = {"what": "database"}
    lent_world.run_restore_step(RESTORE[0], **form)
    (key,) = lent_world.files(TODAY)
    lent_world.write_file(key, bytes(16) + lent_world.read_file(key)[16:])
    with pytest.raises(PartError, match=r"has changed since the preview and is damaged.*Nothing was overwritten"):
        lent_world.carry_out(RESTORE[1:], **form)
    with pytest.raises(PartError, match="Tenant acme is as it was: nothing was overwritten"):
        lent_world.run_restore_step(RESTORE[-1], **form)
    assert access(lent_world) == ("ONLINE", "MULTI_USER")
    assert not is_offline(lent_world)
