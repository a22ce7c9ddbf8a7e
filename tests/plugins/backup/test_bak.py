"""The step that makes the .bak: what SQL Server refuses, and which backups are waited for."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from datetime import UTC, datetime
from typing import Any

import pymssql
import pytest
from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

from include.rules.errors import PartError
from lab.testing.deadlines import within
from lab.waiting import wait_until
from perennial.hooks.sql_server.errors import SqlServerError
from tests.support.holdings import assert_one_of_each
from tests.support.steps import BACKUP, CLOSE, TODAY, VERIFY, chain_before, chain_from
from tests.support.world import World

pytestmark = pytest.mark.lab


def test_a_database_server_that_is_down_fails_the_run_and_releases_the_tenant(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.dumps({"conn_type": "mssql", "host": "127.0.0.1", "port": 1, "login": "sa", "password": "s3cr3t"})
    monkeypatch.setenv("AIRFLOW_CONN_SQL_SERVER_LAB", connection)
    for step in chain_before(BACKUP):
        world.run(step, TODAY)
    with pytest.raises(PartError, match="The database of tenant acme could not be backed up") as caught:
        world.run(BACKUP, TODAY)
    assert "s3cr3t" not in str(caught.value)
    with pytest.raises(PartError, match="is failed, not verified"):
        world.run(CLOSE, TODAY)
    assert world.lease("acme").owner is None
    assert "s3cr3t" not in world.manifest(TODAY).model_dump_json()


def test_a_server_that_is_down_is_told_from_an_earlier_login_that_failed() -> None:
    stale = pymssql.OperationalError(18456, b"DB-Lib error message 20009, severity 9:\nUnable to connect")
    assert SqlServerError.of(stale).number == 20009
    assert SqlServerError.of(stale).lost_connection
    refused = pymssql.OperationalError(18456, b"Login failed for user 'x'.DB-Lib error message 20018, severity 14:\n")
    assert SqlServerError.of(refused).number == 18456


def test_an_object_store_that_refuses_sql_server_is_named_with_the_way_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERENNIAL_BACKUP_URL", "s3://127.0.0.1:1/nowhere")
    for step in chain_before(BACKUP):
        world.run(step, TODAY)
    with pytest.raises(PartError, match=r"SQL Server error 3201.*has a CREDENTIAL for it"):
        world.run(BACKUP, TODAY)


def test_a_database_that_does_not_exist_is_named(world: World) -> None:
    world.entries["acme"]["database"]["name"] = "nowhere"
    world.write_register()
    for step in chain_before(BACKUP):
        world.run(step, TODAY)
    with pytest.raises(PartError, match=r"SQL Server error 911.*Check the database's name in tenants.yaml"):
        world.run(BACKUP, TODAY)


def test_a_login_that_may_not_back_up_is_told_which_right_it_lacks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sql.run("CREATE LOGIN [weak] WITH PASSWORD = N'Weak-Passw0rd'")
    world.sql.run("CREATE USER [weak] FOR LOGIN [weak]", database=world.entries["acme"]["database"]["name"])
    connection = json.loads(os.environ["AIRFLOW_CONN_SQL_SERVER_LAB"])
    monkeypatch.setenv(
        "AIRFLOW_CONN_SQL_SERVER_LAB", json.dumps({**connection, "login": "weak", "password": "Weak-Passw0rd"})
    )
    for step in chain_before(BACKUP):
        world.run(step, TODAY)
    with pytest.raises(PartError, match=r"BACKUP DATABASE permission denied in database"):
        world.run(BACKUP, TODAY)
    world.sql.run("DROP LOGIN [weak]")


def test_files_too_small_for_the_backup_lead_to_more_of_them(world: World) -> None:
    for step in chain_before(BACKUP):
        world.run(step, TODAY)
    with world.sql.failing("sql:Backup", number=3202, os_error=87, percent=90, times=2):
        result = world.run(BACKUP, TODAY)
    keys = [str(key).rpartition("/")[2] for key in result["keys"]]
    assert keys == [f"full-03-0{stripe}.bak" for stripe in range(1, 5)]
    for step in chain_from(VERIFY):
        world.run(step, TODAY)
    assert_one_of_each(world, TODAY)


def test_files_that_stay_too_small_end_the_attempt_and_the_next_begins_with_more(world: World) -> None:
    for step in chain_before(BACKUP):
        world.run(step, TODAY)
    with world.sql.failing("sql:Backup", number=3202, os_error=1117, times=None) as faults:
        with pytest.raises(PartError, match=r"error 3202.*Lower PERENNIAL_STRIPE_MB"):
            world.run(BACKUP, TODAY)
        assert len(faults.report()["hits"]) == 3
    assert len(world.run(BACKUP, TODAY)["keys"]) == 8


REFUSED = [(3201, 5, "has a CREDENTIAL for it"), (3202, 86, "Grant the right"), (3202, 112, "Make room")]


def test_a_backup_that_would_only_be_refused_again_is_tried_once(world: World) -> None:
    for step in chain_before(BACKUP):
        world.run(step, TODAY)
    for number, system, advice in REFUSED:
        with world.sql.failing("sql:Backup", number=number, os_error=system, times=None) as faults:
            with pytest.raises(PartError, match=rf"error {number}.*{advice}"):
                world.run(BACKUP, TODAY)
            assert len(faults.report()["hits"]) == 1


@pytest.mark.parametrize(
    "rule",
    [
        {"drop": True},
        {"drop": True, "after": True},
        {"number": 18401, "severity": 14, "message": "Server is in script upgrade mode."},
    ],
)
def test_a_server_that_hangs_up_or_is_not_ready_is_asked_again(world: World, rule: dict[str, Any]) -> None:
    for step in chain_before(BACKUP):
        world.run(step, TODAY)
    with world.sql.failing("sql:Login", times=3, **rule) as faults:
        world.run(BACKUP, TODAY)
        assert len(faults.report()["hits"]) == 3
    for step in chain_from(VERIFY):
        world.run(step, TODAY)
    assert_one_of_each(world, TODAY)


def test_a_login_that_is_refused_is_not_asked_for_again(world: World) -> None:
    for step in chain_before(BACKUP):
        world.run(step, TODAY)
    with world.sql.failing("sql:Login", number=18456, times=None) as faults:
        with pytest.raises(PartError, match="Check login and password"):
            world.run(BACKUP, TODAY)
        assert len(faults.report()["hits"]) <= 2  # once, and where pymssql has lost the reason, once for that


def test_a_backup_whose_connection_was_killed_is_made_again_in_a_new_file(world: World) -> None:
    for step in chain_before(BACKUP):
        world.run(step, TODAY)
    with world.sql.slowed(backup_seconds=6):
        killer = threading.Thread(target=world.kill_backup, args=("acme-daily-20261123",))
        killer.start()
        world.sql.slowed(backup_seconds=0)
        result = world.run(BACKUP, TODAY)
        killer.join()
    assert str(result["keys"][0]).endswith("full-02.bak")
    for step in chain_from(VERIFY):
        world.run(step, TODAY)
    assert_one_of_each(world, TODAY)


def test_a_backup_that_somebody_else_takes_of_the_database_is_waited_for(world: World) -> None:
    for step in chain_before(BACKUP):
        world.run(step, TODAY)
    database = world.entries["acme"]["database"]["name"]
    statement = f"BACKUP DATABASE [{database}] TO URL = N'{world.vault.backup_file_url('theirs.bak')}'"
    with world.sql.slowed(backup_seconds=3):
        theirs = threading.Thread(target=world.sql.run, args=(statement,))
        theirs.start()
        _wait_for_backup(world)
    result = world.run(BACKUP, TODAY)
    theirs.join()
    assert str(result["keys"][0]).endswith("full-01.bak")


def test_a_backup_that_is_adopted_late_was_finished_when_the_server_says(world: World) -> None:
    for step in chain_before(BACKUP):
        world.run(step, TODAY)
    world.run(BACKUP, TODAY)
    made = world.manifest(TODAY).parts.bak
    assert made
    changes = "backup_finish_date = '2026-11-23 04:30:00', time_zone = -14"
    world.sql.run(f"UPDATE msdb.dbo.backupset SET {changes} WHERE name = N'{made.name}'")
    world.change_manifest(TODAY, lambda m: m.model_copy(update={"parts": m.parts.model_copy(update={"bak": None})}))
    world.run(BACKUP, TODAY)
    adopted = world.manifest(TODAY).parts.bak
    assert adopted
    assert (adopted.keys, adopted.finished_at) == (made.keys, datetime(2026, 11, 23, 8, tzinfo=UTC))


def _wait_for_backup(world: World) -> None:
    query = "SELECT COUNT(*) FROM sys.dm_exec_requests WHERE command LIKE N'BACKUP%'"
    wait_until(lambda: bool(world.sql.run(query)[0][0]), within(10), "the other backup was not seen")


def test_a_server_that_restarts_in_the_middle_of_a_backup_is_waited_for(world: World) -> None:
    for step in chain_before(BACKUP):
        world.run(step, TODAY)

    def crash_and_restart() -> None:
        _wait_for_backup(world)
        world.sql.kill()
        time.sleep(1)
        world.sql.start()

    crash = threading.Thread(target=crash_and_restart)
    with world.sql.slowed(backup_seconds=2):
        crash.start()
        result = world.run(BACKUP, TODAY)
    crash.join()
    assert result["keys"]
    for step in chain_from(VERIFY):
        world.run(step, TODAY)
    assert_one_of_each(world, TODAY)


def test_a_statement_is_not_begun_for_a_step_that_was_cancelled_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in chain_before(BACKUP):
        world.run(step, TODAY)
    connect = MsSqlHook.get_conn

    def slowly(hook: MsSqlHook) -> object:
        time.sleep(1)
        return connect(hook)

    async def cancel_while_it_connects() -> None:
        monkeypatch.setattr(MsSqlHook, "get_conn", slowly)
        backup = asyncio.create_task(world.step(BACKUP, TODAY).work_within_deadline())
        await asyncio.sleep(0.5)
        backup.cancel()
        await asyncio.gather(backup, return_exceptions=True)
        monkeypatch.setattr(MsSqlHook, "get_conn", connect)
        await asyncio.sleep(1.5)

    world.runner.run(cancel_while_it_connects())
    with pytest.raises(PartError):
        world.run(CLOSE, TODAY)
    assert world.files(TODAY) == []
