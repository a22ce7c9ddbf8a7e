"""Which statements of the SQL Server stand-in wait for each other, refuse each other or end each other."""

from __future__ import annotations

import pymssql
import pytest

from lab.testing.sql_server import (
    WAIT_SECONDS,
    LabSqlServer,
    run_on,
    start_in_thread,
    wait_until_gone,
    wait_until_half_done,
)
from tests.lab.sqlserver.logins import refused_login

pytestmark = pytest.mark.lab

SLOW_SECONDS = 30  # longer than any test may take


@pytest.fixture
def database(lab_sql_server: LabSqlServer) -> str:
    """A database with one full backup behind it."""
    name = lab_sql_server.new_database()
    lab_sql_server.run("CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1), (2)", database=name)
    lab_sql_server.run(f"BACKUP DATABASE [{name}] TO DISK = N'{name}-first.bak'")
    return name


def backup(database: str, name: str = "second") -> str:
    return (
        f"BACKUP DATABASE [{database}] TO DISK = N'{database}-{name}.bak' WITH NAME = N'{database}-{name}', STATS = 1"
    )


def first_words(server: LabSqlServer, statement: str) -> str:
    """What the server says first where a statement is refused; pymssql raises the severest message, not the first."""
    said: list[str] = []
    with server.connect() as connection:
        connection._conn.set_msghandler(lambda *parts: said.append(parts[-1].decode()))
        with pytest.raises(pymssql.Error):
            run_on(connection, statement)
    return said[0]


def states(server: LabSqlServer, database: str) -> tuple[str, str]:
    ((state, access),) = server.run(
        f"SELECT state_desc, user_access_desc FROM sys.databases WHERE name = N'{database}'"
    )
    return state, access


@pytest.mark.parametrize(
    ("option", "expected"), [("OFFLINE", ("OFFLINE", "MULTI_USER")), ("SINGLE_USER", ("ONLINE", "SINGLE_USER"))]
)
def test_rollback_immediate_ends_a_backup_that_another_session_runs(
    lab_sql_server: LabSqlServer, database: str, option: str, expected: tuple[str, str]
) -> None:
    with lab_sql_server.slowed(backup_seconds=SLOW_SECONDS):
        thread, outcome = start_in_thread(lambda: lab_sql_server.run(backup(database), appname=database))
        wait_until_half_done(lab_sql_server, database)
        lab_sql_server.run(f"ALTER DATABASE [{database}] SET {option} WITH ROLLBACK IMMEDIATE")
        assert states(lab_sql_server, database) == expected
        thread.join(WAIT_SECONDS)
    assert isinstance(outcome[0], pymssql.Error)
    assert not (lab_sql_server.folder / "backup" / f"{database}-second.bak").exists()
    history = f"SELECT COUNT(*) FROM msdb.dbo.backupset WHERE name = N'{database}-second'"
    assert lab_sql_server.run(history) == [(0,)]


def test_without_a_word_on_rollback_a_running_backup_is_waited_for(lab_sql_server: LabSqlServer, database: str) -> None:
    with lab_sql_server.slowed(backup_seconds=2):
        thread, outcome = start_in_thread(lambda: lab_sql_server.run(backup(database), appname=database))
        wait_until_half_done(lab_sql_server, database)
        lab_sql_server.run(f"ALTER DATABASE [{database}] SET OFFLINE")
        history = f"SELECT COUNT(*) FROM msdb.dbo.backupset WHERE name = N'{database}-second'"
        assert lab_sql_server.run(history) == [(1,)]
        thread.join(WAIT_SECONDS)
    assert outcome == [[]]
    assert states(lab_sql_server, database) == ("OFFLINE", "MULTI_USER")


def test_no_wait_is_refused_while_a_backup_runs(lab_sql_server: LabSqlServer, database: str) -> None:
    with lab_sql_server.slowed(backup_seconds=2):
        thread, outcome = start_in_thread(lambda: lab_sql_server.run(backup(database), appname=database))
        wait_until_half_done(lab_sql_server, database)
        alter = f"ALTER DATABASE [{database}] SET OFFLINE WITH NO_WAIT"
        said = first_words(lab_sql_server, alter)
        thread.join(WAIT_SECONDS)
    assert said == f"Database state cannot be changed while other users are using the database '{database}'"
    assert outcome == [[]]
    assert states(lab_sql_server, database) == ("ONLINE", "MULTI_USER")


def test_an_alter_that_waits_keeps_a_second_one_out(lab_sql_server: LabSqlServer, database: str) -> None:
    with lab_sql_server.connect(database) as user:
        thread, outcome = start_in_thread(
            lambda: lab_sql_server.run(f"ALTER DATABASE [{database}] SET SINGLE_USER", appname=database)
        )
        while not lab_sql_server.run("SELECT 1 FROM sys.dm_exec_requests WHERE command = N'ALTER DATABASE'"):
            assert thread.is_alive()
        said = first_words(lab_sql_server, f"ALTER DATABASE [{database}] SET OFFLINE WITH ROLLBACK IMMEDIATE")
        run_on(user, "USE master")
        thread.join(WAIT_SECONDS)
    assert said == (
        f"ALTER DATABASE failed because a lock could not be placed on database '{database}'. Try again later."
    )
    assert outcome == [[]]
    assert states(lab_sql_server, database) == ("ONLINE", "SINGLE_USER")


def test_nobody_comes_into_a_database_that_a_statement_waits_to_have_to_itself(
    lab_sql_server: LabSqlServer, database: str
) -> None:
    with lab_sql_server.connect(database) as user:
        thread, outcome = start_in_thread(
            lambda: lab_sql_server.run(f"ALTER DATABASE [{database}] SET OFFLINE", appname=database)
        )
        while not lab_sql_server.run("SELECT 1 FROM sys.dm_exec_requests WHERE command = N'ALTER DATABASE'"):
            assert thread.is_alive()
        assert run_on(user, "SELECT COUNT(*) FROM t") == [(2,)]
        used = first_words(lab_sql_server, f"USE [{database}]")
        read = first_words(lab_sql_server, f"SELECT COUNT(*) FROM [{database}].dbo.t")
        assert refused_login(lab_sql_server, database=database).args[0] == 18456
    thread.join(WAIT_SECONDS)
    assert {used, read} == {f"Database '{database}' is in transition. Try the statement later."}
    assert outcome == [[]]
    assert states(lab_sql_server, database) == ("OFFLINE", "MULTI_USER")


def test_the_log_is_backed_up_while_a_full_backup_runs_and_brings_its_rows_back(
    lab_sql_server: LabSqlServer, database: str
) -> None:
    with lab_sql_server.slowed(backup_seconds=3):
        thread, outcome = start_in_thread(lambda: lab_sql_server.run(backup(database), appname=database))
        wait_until_half_done(lab_sql_server, database)
    lab_sql_server.run("INSERT INTO t VALUES (3)", database=database)
    lab_sql_server.run(f"BACKUP LOG [{database}] TO DISK = N'{database}-1.trn'")
    assert thread.is_alive()
    for other in (backup(database, "third"), backup(database, "third") + ", DIFFERENTIAL"):
        assert "must be serialized" in first_words(lab_sql_server, other)
    thread.join(WAIT_SECONDS)
    assert outcome == [[]]
    lab_sql_server.run("INSERT INTO t VALUES (4)", database=database)
    lab_sql_server.run(f"BACKUP LOG [{database}] TO DISK = N'{database}-2.trn'")
    for full in ("first", "second"):
        lab_sql_server.run(
            f"RESTORE DATABASE [{database}] FROM DISK = N'{database}-{full}.bak' WITH REPLACE, NORECOVERY",
            f"RESTORE LOG [{database}] FROM DISK = N'{database}-1.trn' WITH NORECOVERY",
            f"RESTORE LOG [{database}] FROM DISK = N'{database}-2.trn' WITH RECOVERY",
        )
        assert lab_sql_server.run("SELECT a FROM t ORDER BY a", database=database) == [(1,), (2,), (3,), (4,)]


def test_one_log_backup_runs_at_a_time(lab_sql_server: LabSqlServer, database: str) -> None:
    log = f"BACKUP LOG [{database}] TO DISK = N'{database}-{{}}.trn'"
    with lab_sql_server.slowed(backup_seconds=2):
        thread, outcome = start_in_thread(lambda: lab_sql_server.run(log.format(1), appname=database))
        while not lab_sql_server.run("SELECT 1 FROM sys.dm_exec_requests WHERE command = N'BACKUP LOG'"):
            assert thread.is_alive()
        assert "must be serialized" in first_words(lab_sql_server, log.format(2))
        thread.join(WAIT_SECONDS)
    assert outcome == [[]]


def test_the_tail_of_the_log_waits_for_no_full_backup_and_is_refused(
    lab_sql_server: LabSqlServer, database: str
) -> None:
    with lab_sql_server.slowed(backup_seconds=2):
        thread, outcome = start_in_thread(lambda: lab_sql_server.run(backup(database), appname=database))
        wait_until_half_done(lab_sql_server, database)
        tail = f"BACKUP LOG [{database}] TO DISK = N'{database}.trn' WITH NORECOVERY"
        said = first_words(lab_sql_server, tail)
        thread.join(WAIT_SECONDS)
    assert said == "Exclusive access could not be obtained because the database is in use."
    assert outcome == [[]]
    assert states(lab_sql_server, database) == ("ONLINE", "MULTI_USER")


def test_the_recovery_model_stays_while_a_backup_runs(lab_sql_server: LabSqlServer, database: str) -> None:
    with lab_sql_server.slowed(backup_seconds=2):
        thread, outcome = start_in_thread(lambda: lab_sql_server.run(backup(database), appname=database))
        wait_until_half_done(lab_sql_server, database)
        said = first_words(lab_sql_server, f"ALTER DATABASE [{database}] SET RECOVERY SIMPLE")
        thread.join(WAIT_SECONDS)
    wait_until_gone(lab_sql_server, database)
    assert "must be serialized" in said
    assert outcome == [[]]
    lab_sql_server.run(f"BACKUP LOG [{database}] TO DISK = N'{database}.trn'")
