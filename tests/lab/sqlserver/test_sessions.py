"""Sessions of the SQL Server stand-in: signing in, who may be in a database, locks, KILL."""

from __future__ import annotations

import threading
import time
from typing import Any

import pymssql
import pytest

from lab.testing.deadlines import within
from lab.testing.sql_server import LabSqlServer, run_on
from tests.lab.sqlserver.logins import refused_login

pytestmark = pytest.mark.lab

WAIT_SECONDS = within(15)
GET_LOCK = (
    "DECLARE @r int; EXEC @r = sp_getapplock @Resource = N'{}', @LockMode = N'{}', @LockOwner = N'Session', "
    "@LockTimeout = {}; SELECT @r AS r;"
)
RELEASE_LOCK = "EXEC sp_releaseapplock @Resource = N'{}', @LockOwner = N'Session'"


def number_of(refused: pytest.ExceptionInfo[pymssql.Error]) -> int:
    number: int = refused.value.args[0]
    return number


def test_a_wrong_password_is_refused(lab_sql_server: LabSqlServer) -> None:
    assert refused_login(lab_sql_server, password="wrong").args[0] == 18456


def test_a_database_that_is_not_there_is_refused(lab_sql_server: LabSqlServer) -> None:
    assert refused_login(lab_sql_server, database="nowhere").args[0] == 18456


def test_the_server_tells_what_it_is(lab_sql_server: LabSqlServer) -> None:
    ((data, log, major, edition, nothing),) = lab_sql_server.run(
        "SELECT SERVERPROPERTY('InstanceDefaultDataPath') AS d, SERVERPROPERTY('InstanceDefaultLogPath'), "
        "SERVERPROPERTY('ProductMajorVersion'), SERVERPROPERTY('EngineEdition'), SERVERPROPERTY('Nothing')"
    )
    assert (data, log) == (f"{lab_sql_server.folder}/data/", f"{lab_sql_server.folder}/log/")
    assert (major, edition, nothing) == ("16", 3, None)
    ((version, number),) = lab_sql_server.run("SELECT @@VERSION, DB_ID(N'nowhere')")
    assert version.startswith("Microsoft SQL Server 2022")
    assert number is None


def test_a_session_is_found_by_the_name_of_its_program(lab_sql_server: LabSqlServer) -> None:
    program = "acme-daily-20261123/full-01"
    with lab_sql_server.connect(appname=program) as connection:
        ((spid,),) = run_on(connection, "SELECT @@SPID")
        rows = lab_sql_server.run(
            f"SELECT session_id, login_name FROM sys.dm_exec_sessions WHERE program_name = N'{program}'"
        )
    assert rows == [(spid, "sa")]


def test_a_killed_session_is_gone(lab_sql_server: LabSqlServer) -> None:
    with lab_sql_server.connect() as victim:
        ((spid,),) = run_on(victim, "SELECT @@SPID")
        lab_sql_server.run(f"KILL {spid}")
        with pytest.raises(pymssql.Error):
            run_on(victim, "SELECT 1")
    wait_for(lambda: not lab_sql_server.run(f"SELECT 1 FROM sys.dm_exec_sessions WHERE session_id = {spid}"))
    with pytest.raises(pymssql.Error) as refused:
        lab_sql_server.run(f"KILL {spid}")
    assert number_of(refused) == 6106


def test_nobody_kills_themselves(lab_sql_server: LabSqlServer) -> None:
    with lab_sql_server.connect() as connection:
        ((spid,),) = run_on(connection, "SELECT @@SPID")
        with pytest.raises(pymssql.Error) as refused:
            run_on(connection, f"KILL {spid}")
    assert number_of(refused) == 6104


def test_a_running_query_stops_when_its_session_is_killed(lab_sql_server: LabSqlServer) -> None:
    endless = "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n"
    outcome: list[Any] = []
    with lab_sql_server.connect(appname="endless") as victim:
        ((spid,),) = run_on(victim, "SELECT @@SPID")
        thread = in_thread(outcome, lambda: run_on(victim, endless))
        wait_for(lambda: lab_sql_server.run(f"SELECT 1 FROM sys.dm_exec_requests WHERE session_id = {spid}"))
        lab_sql_server.run(f"KILL {spid}")
        thread.join(WAIT_SECONDS)
    assert isinstance(outcome[0], pymssql.Error)


def test_a_session_whose_client_does_not_read_can_be_killed(lab_sql_server: LabSqlServer) -> None:
    rows = "SELECT a.name, b.name, c.name, d.name, e.name, f.name, g.name, h.name FROM sys.databases AS a"
    flood = rows + "".join(f" CROSS JOIN sys.databases AS {name}" for name in "bcdefgh")
    with lab_sql_server.connect() as idle:
        ((spid,),) = run_on(idle, "SELECT @@SPID")
        idle.cursor().execute(flood)
        lab_sql_server.run(f"KILL {spid}")
        wait_for(lambda: not lab_sql_server.run(f"SELECT 1 FROM sys.dm_exec_sessions WHERE session_id = {spid}"))


def test_single_user_has_one_place(lab_sql_server: LabSqlServer) -> None:
    database = lab_sql_server.new_database()
    outsider = lab_sql_server.connect(database)
    with lab_sql_server.connect(database) as owner:
        run_on(owner, f"ALTER DATABASE [{database}] SET SINGLE_USER WITH ROLLBACK IMMEDIATE")
        with pytest.raises(pymssql.Error):
            run_on(outsider, "SELECT 1")  # ROLLBACK IMMEDIATE has ended it
        with pytest.raises(pymssql.Error) as refused:
            lab_sql_server.run(f"USE [{database}]")
        assert number_of(refused) == 924
        with pytest.raises(pymssql.Error) as refused:
            lab_sql_server.run(f"ALTER DATABASE [{database}] SET MULTI_USER")
        assert number_of(refused) == 5064
        run_on(owner, f"ALTER DATABASE [{database}] SET MULTI_USER")
        lab_sql_server.run(f"USE [{database}]")


def test_single_user_set_from_master_leaves_the_place_to_whoever_comes_first(lab_sql_server: LabSqlServer) -> None:
    database = lab_sql_server.new_database()
    lab_sql_server.run(f"ALTER DATABASE [{database}] SET SINGLE_USER WITH ROLLBACK IMMEDIATE")
    with lab_sql_server.connect(database), pytest.raises(pymssql.Error) as refused:
        lab_sql_server.run(f"SELECT COUNT(*) FROM [{database}].sys.tables", f"USE [{database}]")
    assert number_of(refused) == 924


def test_a_transaction_of_someone_put_out_is_rolled_back(lab_sql_server: LabSqlServer) -> None:
    database = lab_sql_server.new_database()
    lab_sql_server.run("CREATE TABLE t (a INT)", database=database)
    outsider = lab_sql_server.connect(database)
    run_on(outsider, "BEGIN TRAN", "INSERT INTO t VALUES (1)")
    lab_sql_server.run(
        f"ALTER DATABASE [{database}] SET SINGLE_USER WITH ROLLBACK IMMEDIATE",
        f"ALTER DATABASE [{database}] SET MULTI_USER",
    )
    assert lab_sql_server.run("SELECT COUNT(*) FROM t", database=database) == [(0,)]


def test_an_offline_database_lets_nobody_in(lab_sql_server: LabSqlServer) -> None:
    database = lab_sql_server.new_database()
    lab_sql_server.run(f"ALTER DATABASE [{database}] SET OFFLINE WITH ROLLBACK IMMEDIATE")
    with pytest.raises(pymssql.Error) as refused:
        lab_sql_server.run(f"USE [{database}]")
    assert number_of(refused) == 942
    states = f"SELECT state_desc FROM sys.databases WHERE name = N'{database}'"
    assert lab_sql_server.run(states) == [("OFFLINE",)]
    assert lab_sql_server.run(f"ALTER DATABASE [{database}] SET ONLINE", states) == [("ONLINE",)]


def test_a_database_in_use_is_not_dropped(lab_sql_server: LabSqlServer) -> None:
    database = lab_sql_server.new_database()
    with lab_sql_server.connect(database), pytest.raises(pymssql.Error) as refused:
        lab_sql_server.run(f"DROP DATABASE [{database}]")
    assert number_of(refused) == 3702


def test_an_application_lock_keeps_others_out_until_it_is_released(lab_sql_server: LabSqlServer) -> None:
    exclusive = GET_LOCK.format("perennial-backup-1", "Exclusive", 0)
    with lab_sql_server.connect() as first, lab_sql_server.connect() as second:
        assert run_on(first, exclusive) == [(0,)]
        assert run_on(second, exclusive) == [(-1,)]
        assert run_on(second, GET_LOCK.format("perennial-backup-2", "Exclusive", 0)) == [(0,)]
        run_on(first, RELEASE_LOCK.format("perennial-backup-1"))
        assert run_on(second, exclusive) == [(0,)]
        with pytest.raises(pymssql.Error) as refused:
            run_on(first, RELEASE_LOCK.format("perennial-backup-1"))
        assert number_of(refused) == 1223


def test_an_application_lock_is_released_as_often_as_it_was_taken(lab_sql_server: LabSqlServer) -> None:
    exclusive = GET_LOCK.format("twice", "Exclusive", 0)
    with lab_sql_server.connect() as first, lab_sql_server.connect() as second:
        assert run_on(first, exclusive, exclusive) == [(0,)]
        run_on(first, RELEASE_LOCK.format("twice"))
        assert run_on(second, exclusive) == [(-1,)]
        run_on(first, RELEASE_LOCK.format("twice"))
        assert run_on(second, exclusive) == [(0,)]


def test_shared_application_locks_go_together(lab_sql_server: LabSqlServer) -> None:
    with lab_sql_server.connect() as first, lab_sql_server.connect() as second:
        for connection in (first, second):
            assert run_on(connection, GET_LOCK.format("shared", "Shared", 0)) == [(0,)]
        assert run_on(second, GET_LOCK.format("shared", "Exclusive", 0)) == [(-1,)]


def test_an_application_lock_dies_with_its_connection_and_wakes_who_waits(lab_sql_server: LabSqlServer) -> None:
    outcome: list[Any] = []
    with lab_sql_server.connect() as waiting:
        holder = lab_sql_server.connect()
        assert run_on(holder, GET_LOCK.format("dying", "Exclusive", 0)) == [(0,)]
        thread = in_thread(outcome, lambda: run_on(waiting, GET_LOCK.format("dying", "Exclusive", 10_000)))
        wait_for(lambda: lab_sql_server.run("SELECT 1 FROM sys.dm_exec_requests WHERE command = N'EXECUTE'"))
        holder.close()
        thread.join(WAIT_SECONDS)
    assert outcome == [[(1,)]]


def in_thread(outcome: list[Any], work: Any) -> threading.Thread:
    """Run `work` in a thread; its result or its error becomes the first item of `outcome`."""

    def run() -> None:
        try:
            outcome.append(work())
        except pymssql.Error as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def wait_for(holds: Any, seconds: float = WAIT_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"still not so after {seconds} s"
        time.sleep(0.05)
