"""What a BACKUP or RESTORE of the SQL Server stand-in leaves behind when its client, KILL or a crash cuts it off."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pymssql
import pytest
from pymssql import _mssql

from lab.environment import PROJECT
from lab.testing.deadlines import pace
from lab.testing.sql_server import (
    WAIT_SECONDS,
    LabSqlServer,
    run_on,
    start_in_thread,
    wait_until_gone,
    wait_until_half_done,
)

pytestmark = pytest.mark.lab

SLOW_SECONDS = 30  # long enough that a test which does not interrupt would stand out


@pytest.fixture
def database(own_sql_server: LabSqlServer) -> str:
    name = own_sql_server.new_database()
    own_sql_server.run("CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1), (2), (3)", database=name)
    return name


def backup(database: str) -> str:
    return f"BACKUP DATABASE [{database}] TO DISK = N'{database}.bak' WITH NAME = N'{database}', CHECKSUM, STATS = 1"


def assert_nothing_is_left(server: LabSqlServer, database: str) -> None:
    assert server.run(f"SELECT COUNT(*) FROM msdb.dbo.backupset WHERE name = N'{database}'") == [(0,)]
    assert not (server.folder / "backup" / f"{database}.bak").exists()
    assert list((server.folder / "temp").iterdir()) == []


def test_a_killed_backup_leaves_nothing_and_says_why(own_sql_server: LabSqlServer, database: str) -> None:
    with own_sql_server.slowed(backup_seconds=SLOW_SECONDS):
        thread, outcome = start_in_thread(lambda: own_sql_server.run(backup(database), appname="killed"))
        session, command, percent = wait_until_half_done(own_sql_server, "killed")
        own_sql_server.run(f"KILL {session}")
        thread.join(WAIT_SECONDS)
    assert command == "BACKUP DATABASE"
    assert 0 < percent < 100
    assert isinstance(outcome[0], pymssql.Error)
    wait_until_gone(own_sql_server, "killed")
    assert_nothing_is_left(own_sql_server, database)
    own_sql_server.run(backup(database))


def test_a_cancelled_backup_leaves_nothing_and_says_why(own_sql_server: LabSqlServer, database: str) -> None:
    """pymssql's execute_non_query cancels after the first DONE, and a backup sends one before its end."""
    with own_sql_server.slowed(backup_seconds=2), own_sql_server.connect() as connection:
        with pytest.raises(_mssql.MSSQLDatabaseException) as cancelled:
            connection._conn.execute_non_query(backup(database))
        assert cancelled.value.number == 3204
        assert_nothing_is_left(own_sql_server, database)
        assert run_on(connection, "SELECT 1") == [(1,)]  # the connection lives on


def test_a_backup_whose_client_dies_leaves_nothing(own_sql_server: LabSqlServer, database: str) -> None:
    options = own_sql_server.connect_options | {"appname": "dying"}
    program = f"import pymssql; pymssql.connect(**{options!r}).cursor().execute({backup(database)!r})"
    with own_sql_server.slowed(backup_seconds=SLOW_SECONDS):
        client = subprocess.Popen([sys.executable, "-c", program], cwd=PROJECT)
        try:
            wait_until_half_done(own_sql_server, "dying")
        finally:
            client.kill()
            client.wait()
        wait_until_gone(own_sql_server, "dying")
    assert_nothing_is_left(own_sql_server, database)


def test_a_server_that_crashes_in_a_backup_has_no_row_of_it(own_sql_server: LabSqlServer, database: str) -> None:
    with own_sql_server.slowed(backup_seconds=SLOW_SECONDS):
        thread, outcome = start_in_thread(lambda: own_sql_server.run(backup(database), appname="crash"))
        wait_until_half_done(own_sql_server, "crash")
        own_sql_server.kill()
        thread.join(WAIT_SECONDS)
    own_sql_server.start()
    assert isinstance(outcome[0], pymssql.Error)
    assert own_sql_server.run(f"SELECT COUNT(*) FROM msdb.dbo.backupset WHERE name = N'{database}'") == [(0,)]
    assert own_sql_server.run("SELECT COUNT(*) FROM t", database=database) == [(3,)]
    assert list((own_sql_server.folder / "temp").iterdir()) == []


def test_a_server_that_is_stopped_in_a_backup_ends_it_cleanly_within_three_seconds(
    own_sql_server: LabSqlServer, database: str
) -> None:
    with own_sql_server.slowed(backup_seconds=SLOW_SECONDS):
        thread, outcome = start_in_thread(lambda: own_sql_server.run(backup(database), appname="stop"))
        wait_until_half_done(own_sql_server, "stop")
        began = time.monotonic()
        own_sql_server._end(signal.SIGTERM)
        assert time.monotonic() - began < 3 * pace()
        thread.join(WAIT_SECONDS)
    assert isinstance(outcome[0], pymssql.Error)
    own_sql_server.start()
    assert_nothing_is_left(own_sql_server, database)


def test_a_database_whose_restore_was_cut_off_is_restoring_until_a_restore_heals_it(
    own_sql_server: LabSqlServer, database: str
) -> None:
    own_sql_server.run(backup(database))
    restore = f"RESTORE DATABASE [{database}] FROM DISK = N'{database}.bak' WITH REPLACE, CHECKSUM, STATS = 1"
    state = f"SELECT state_desc FROM sys.databases WHERE name = N'{database}'"
    with own_sql_server.slowed(restore_seconds=SLOW_SECONDS):
        thread, _ = start_in_thread(lambda: own_sql_server.run(restore, appname="cut"))
        wait_until_half_done(own_sql_server, "cut")
        assert own_sql_server.run(state) == [("RESTORING",)]
        own_sql_server.kill()
        thread.join(WAIT_SECONDS)
    own_sql_server.start()
    assert own_sql_server.run(state) == [("RESTORING",)]
    with pytest.raises(pymssql.Error) as refused:
        own_sql_server.run(f"USE [{database}]")
    assert refused.value.args[0] == 927
    own_sql_server.run(restore)
    assert own_sql_server.run(state) == [("ONLINE",)]
    assert own_sql_server.run("SELECT SUM(a) FROM t", database=database) == [(6,)]


def test_a_second_restore_waits_for_no_one_and_is_refused(own_sql_server: LabSqlServer, database: str) -> None:
    own_sql_server.run(backup(database))
    restore = f"RESTORE DATABASE [{database}] FROM DISK = N'{database}.bak' WITH REPLACE"
    with own_sql_server.slowed(restore_seconds=2):
        thread, outcome = start_in_thread(lambda: own_sql_server.run(restore, appname="first"))
        wait_until_half_done(own_sql_server, "first")
        with pytest.raises(pymssql.Error) as refused:
            own_sql_server.run(restore)
        thread.join(WAIT_SECONDS)
    assert refused.value.args[0] == 3101
    assert outcome == [[]]
    assert own_sql_server.run("SELECT SUM(a) FROM t", database=database) == [(6,)]


def test_everything_that_was_set_survives_a_crash(own_sql_server: LabSqlServer, database: str) -> None:
    own_sql_server.run(
        backup(database),
        f"ALTER DATABASE [{database}] SET RECOVERY SIMPLE",
        f"ALTER DATABASE [{database}] SET SINGLE_USER WITH ROLLBACK IMMEDIATE",
        "CREATE CREDENTIAL [s3://127.0.0.1:1/b] WITH IDENTITY = N'S3 Access Key', SECRET = N'key:secret'",
    )
    own_sql_server.crash_and_restart()
    states = f"SELECT user_access_desc, recovery_model_desc FROM sys.databases WHERE name = N'{database}'"
    assert own_sql_server.run(states) == [("SINGLE_USER", "SIMPLE")]
    assert own_sql_server.run("SELECT name FROM sys.credentials") == [("s3://127.0.0.1:1/b",)]
    assert own_sql_server.run(f"SELECT COUNT(*) FROM msdb.dbo.backupset WHERE name = N'{database}'") == [(1,)]
    with own_sql_server.connect(database) as connection:
        assert run_on(connection, "SELECT COUNT(*) FROM t") == [(3,)]
