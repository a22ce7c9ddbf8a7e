"""More databases than a server may have open, and more clients: nobody is hung up on, and nothing stays open."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pymssql
import pytest

from lab.sqlserver.engine.open_files import MOST_LOGS, OpenFiles
from lab.testing.deadlines import within
from lab.testing.sql_server import LabSqlServer, run_on
from lab.waiting import wait_until

pytestmark = pytest.mark.lab

DATABASES = 350  # three files each were more than 1,024
ROUNDS = 1000


def descriptors(server: LabSqlServer) -> int:
    return psutil.Process(server.pid).num_fds()


@contextlib.contextmanager
def limited_to(server: LabSqlServer, most: int) -> Iterator[None]:
    """Let the server have so many descriptors at most."""
    before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (most, before[1]))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)


def test_a_server_raises_its_limit_of_open_files(own_sql_server: LabSqlServer) -> None:
    soft, hard = resource.prlimit(own_sql_server.pid, resource.RLIMIT_NOFILE)
    assert soft == min(hard, 65_536)


def test_hundreds_of_databases_are_used_in_turn_with_few_descriptors(own_sql_server: LabSqlServer) -> None:
    names = [f"site_{number:03}" for number in range(DATABASES)]
    with own_sql_server.connect() as connection:
        for name in names:
            run_on(connection, f"CREATE DATABASE [{name}]", f"USE [{name}]", "CREATE TABLE t (id INT)", "USE [master]")
    with limited_to(own_sql_server, 400):
        assert descriptors(own_sql_server) < 150
        for name in names:
            own_sql_server.run(
                "INSERT INTO t VALUES (1)", f"BACKUP DATABASE [{name}] TO DISK = N'{name}.bak'", database=name
            )
        assert descriptors(own_sql_server) < 150
        for name in names[:MOST_LOGS]:  # closed long ago, and their logs go on from where they were
            own_sql_server.run(
                "INSERT INTO t VALUES (2)", f"BACKUP LOG [{name}] TO DISK = N'{name}.trn'", database=name
            )
        assert descriptors(own_sql_server) < 150
    last = names[0]
    own_sql_server.run(
        f"DROP DATABASE [{last}]",
        f"RESTORE DATABASE [{last}] FROM DISK = N'{last}.bak' WITH NORECOVERY",
        f"RESTORE LOG [{last}] FROM DISK = N'{last}.trn'",
    )
    assert own_sql_server.run("SELECT COUNT(*), MAX(id) FROM t", database=last) == [(2, 2)]


def test_a_transaction_survives_its_log_being_closed(own_sql_server: LabSqlServer) -> None:
    name = own_sql_server.new_database()
    own_sql_server.run("CREATE TABLE t (id INT)", f"BACKUP DATABASE [{name}] TO DISK = N'a.bak'", database=name)
    with own_sql_server.connect(name) as connection:
        run_on(connection, "BEGIN TRAN", "INSERT INTO t VALUES (1)")
        for _ in range(2 * MOST_LOGS):
            own_sql_server.run("CREATE TABLE t (id INT)", database=own_sql_server.new_database())
        run_on(connection, "INSERT INTO t VALUES (2)", "COMMIT")
    own_sql_server.run(f"BACKUP LOG [{name}] TO DISK = N'a.trn'")
    own_sql_server.drop_database(name)
    own_sql_server.run(
        f"RESTORE DATABASE [{name}] FROM DISK = N'a.bak' WITH NORECOVERY", f"RESTORE LOG [{name}] FROM DISK = N'a.trn'"
    )
    assert own_sql_server.run("SELECT COUNT(*) FROM t", database=name) == [(2,)]


@pytest.mark.timeout(300)
def test_nothing_stays_open_after_a_thousand_databases_and_sessions(own_sql_server: LabSqlServer) -> None:
    def round_trip(connection: pymssql.Connection, number: int) -> None:
        name = f"gone_{number}"
        run_on(connection, f"CREATE DATABASE [{name}]", f"USE [{name}]", "CREATE TABLE t (id INT)")
        run_on(connection, "SELECT * FROM msdb.dbo.backupset", "USE [master]", f"DROP DATABASE [{name}]")
        if number % 10 == 0:
            with pytest.raises(pymssql.Error):
                own_sql_server.connect("nowhere")
            own_sql_server.run("SELECT 1", database="model")

    with own_sql_server.connect() as connection:
        for number in range(50):  # what is opened once and stays
            round_trip(connection, number)
        wait_until(lambda: own_sql_server.run("SELECT COUNT(*) FROM sys.dm_exec_sessions") == [(2,)], within(5), "gone")
        before = descriptors(own_sql_server)
        for number in range(ROUNDS):
            round_trip(connection, number)
        wait_until(lambda: descriptors(own_sql_server) <= before, within(5), f"more than {before} are open")
    assert own_sql_server.run("SELECT COUNT(*) FROM sys.databases") == [(4,)]


def test_where_descriptors_run_out_one_session_is_told_and_the_others_go_on(own_sql_server: LabSqlServer) -> None:
    name = own_sql_server.new_database()
    own_sql_server.run("CREATE TABLE t (id INT)", "INSERT INTO t VALUES (1)", database=name)
    with own_sql_server.connect(name) as first, own_sql_server.connect("master") as second:
        assert run_on(first, "SELECT id FROM t") == [(1,)]
        run_on(second, "SELECT 1")
        with limited_to(own_sql_server, 3):  # those of its input and output: there is none for anything else
            with pytest.raises(
                pymssql.Error, match=r"Unable to open the physical file.*The system cannot open the file"
            ):
                run_on(second, f"SELECT * FROM [{name}].dbo.t")
            assert run_on(first, "SELECT id FROM t") == [(1,)]
        assert run_on(second, f"SELECT * FROM [{name}].dbo.t") == [(1,)]


def test_a_client_too_many_is_refused_in_one_sentence_and_a_place_is_free_again(own_sql_server: LabSqlServer) -> None:
    with limited_to(own_sql_server, 224):  # room for three
        connections = [own_sql_server.connect() for _ in range(3)]
        # In a process of its own: what pymssql says of a refused login is what it says of each that follows.
        script = f"import pymssql; pymssql.connect(**{own_sql_server.connect_options!r})"
        refused = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        assert "17809" in refused.stderr
        assert [run_on(connection, "SELECT 1") for connection in connections] == [[(1,)]] * 3
        connections.pop().close()
        wait_until(lambda: _connects(own_sql_server), within(5), "no place is free again")
    for connection in connections:
        connection.close()


def _connects(server: LabSqlServer) -> bool:
    try:
        return server.run("SELECT 1") == [(1,)]
    except pymssql.Error:
        return False


def test_the_least_recently_used_is_closed_first_and_never_one_in_use() -> None:
    class Owner:
        def __init__(self) -> None:
            self.busy = self.closed = False

        def close_if_idle(self) -> bool:
            self.closed = not self.busy
            return self.closed

    owners, files = [Owner() for _ in range(4)], OpenFiles(most=2)
    owners[0].busy = True
    for owner in (*owners[:3], owners[1], owners[3]):
        files.used(owner)
    assert [owner.closed for owner in owners] == [False, False, True, False]
    owners[0].busy = False
    files.used(owners[3])
    assert [owner.closed for owner in owners] == [True, False, True, False]


def test_nobody_asks_select() -> None:
    lab = Path(__file__).parents[3] / "lab"
    assert [file.name for file in lab.rglob("*.py") if "select.select(" in file.read_text()] == []
