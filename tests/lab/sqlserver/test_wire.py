"""The wire of the SQL Server stand-in: what it takes from pysqlbridge, encryption, large messages, many clients."""

from __future__ import annotations

import inspect
import threading
from importlib.metadata import version

import pymssql
import pytest
from pymssql import _mssql
from pysqlbridge.tds.connection import Connection

from lab.sqlserver.wire.connection import LabConnection
from lab.testing.sql_server import LabSqlServer, run_on

pytestmark = pytest.mark.lab

CLIENTS = 50


def test_pysqlbridge_has_the_private_names_that_the_wire_uses() -> None:
    """A new version of pysqlbridge needs a look at wire.py before its pin may move."""
    assert version("pysqlbridge") == "2.1.3"
    for name in ("_finish_login", "_step_prelogin", "_step_query"):
        assert inspect.signature(getattr(Connection, name)) == inspect.signature(getattr(LabConnection, name))
    written = inspect.getsource(Connection)
    used = (
        "_take_message",
        "_send",
        "_buffer",
        "_tunnel",
        "_session_encrypted",
        "_spid",
        "_state",
        "_tds_version",
        "_negotiate_encryption",
    )
    assert [name for name in used if name not in written] == []


@pytest.mark.parametrize("encryption", ["off", "request", "require"])
def test_a_client_may_ask_for_any_encryption(lab_sql_server: LabSqlServer, encryption: str) -> None:
    with lab_sql_server.connect(encryption=encryption) as connection:
        assert run_on(connection, "SELECT N'Žofia'") == [("Žofia",)]


@pytest.mark.parametrize("encryption", ["off", "require"])
def test_progress_and_cancel_work_with_and_without_encryption(lab_sql_server: LabSqlServer, encryption: str) -> None:
    database = lab_sql_server.new_database()
    said: list[str] = []
    with lab_sql_server.slowed(backup_seconds=1), lab_sql_server.connect(encryption=encryption) as connection:
        connection._conn.set_msghandler(lambda *parts: said.append(parts[-1].decode()))
        with pytest.raises(_mssql.MSSQLDatabaseException):
            connection._conn.execute_non_query(
                f"BACKUP DATABASE [{database}] TO DISK = N'{database}.bak' WITH STATS = 10"
            )
        assert run_on(connection, "SELECT 1") == [(1,)]
    assert "50 percent processed." in said
    assert "The backup or restore was aborted." in said


def test_a_long_statement_and_a_long_value_fit(lab_sql_server: LabSqlServer) -> None:
    text = "é" * 300_000
    assert lab_sql_server.run(f"SELECT N'{text}' AS a, LEN(N'{text}') AS n") == [(text, len(text))]


def test_a_session_keeps_its_place_after_an_error(lab_sql_server: LabSqlServer) -> None:
    database = lab_sql_server.new_database()
    with lab_sql_server.connect(database) as connection:
        with pytest.raises(pymssql.Error):
            run_on(connection, "SELECT * FROM nowhere")
        assert run_on(connection, "SELECT DB_NAME()") == [(database,)]


def test_a_row_count_is_told_unless_nocount_is_on(lab_sql_server: LabSqlServer) -> None:
    with lab_sql_server.connect(lab_sql_server.new_database()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a INT)")
        cursor.execute("INSERT INTO t VALUES (1), (2), (3)")
        assert cursor.rowcount == 3
        cursor.execute("SET NOCOUNT ON; UPDATE t SET a = 0")
        assert cursor.rowcount == -1


def test_fifty_clients_work_at_once(lab_sql_server: LabSqlServer) -> None:
    database = lab_sql_server.new_database()
    lab_sql_server.run("CREATE TABLE t (a INT)", database=database)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            lab_sql_server.run(f"INSERT INTO t VALUES ({number})", "SELECT COUNT(*) FROM t", database=database)
        except pymssql.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert lab_sql_server.run("SELECT COUNT(DISTINCT a) FROM t", database=database) == [(CLIENTS,)]
