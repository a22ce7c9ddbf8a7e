"""The SQL Server stand-in through clients that nobody here wrote: what works with one of them must work with all."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from ctypes.util import find_library
from datetime import date, datetime
from datetime import time as clock
from decimal import Decimal
from typing import Any

import mssql_python
import pymssql
import pytds  # type: ignore[import-untyped]
import pytest
from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook

from lab.settings import HOST
from lab.testing.deadlines import within
from lab.testing.sql_server import LabSqlServer

pytestmark = pytest.mark.lab

TYPES = "n NUMERIC(18,4), e DATETIME2, d DATE, c TIME, m MONEY, v VARCHAR(50), w NVARCHAR(MAX), b VARBINARY(MAX)"
VALUES = (
    Decimal("-12.3456"),
    datetime(2026, 11, 23, 1, 2, 3, 456_789),  # noqa: DTZ001 - SQL Server's DATETIME2 has no zone
    date(2026, 2, 28),
    clock(23, 59, 59, 123_456),
    Decimal("922337.2036"),
    "plain text",
    "Žluťoučký kůň 🐎" * 300,
    bytes(range(256)) * 50,
)


def open_pymssql(server: LabSqlServer, database: str) -> Any:
    return server.connect(database, autocommit=False)


def open_python_tds(server: LabSqlServer, database: str) -> Any:
    settings = server.settings
    return pytds.connect(HOST, database, settings.sql_user, settings.sql_password, port=settings.sql_server_port)


def open_mssql_python(server: LabSqlServer, database: str) -> Any:
    settings = server.settings
    return mssql_python.connect(
        f"Server={HOST},{settings.sql_server_port};Database={database};UID={settings.sql_user};"
        f"PWD={settings.sql_password};Encrypt=yes;TrustServerCertificate=yes"
    )


CLIENTS = {"pymssql": open_pymssql, "python-tds": open_python_tds, "mssql-python": open_mssql_python}
Open = Callable[[str], Any]


needs_ltdl = pytest.mark.skipif(
    not find_library("ltdl"),
    reason="libltdl.so.7, which mssql-python wants, is not installed (Debian: libltdl7)",
)


@pytest.fixture(params=["pymssql", "python-tds", pytest.param("mssql-python", marks=needs_ltdl)])
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def connect(lab_sql_server: LabSqlServer, client: str) -> Iterator[Open]:
    """Opens a connection of that client, without autocommit."""
    opened = []

    def open_one(database: str) -> Any:
        opened.append(CLIENTS[client](lab_sql_server, database))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


def parameters(client: str, values: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The client's marks for `values`, and the values as it wants them."""
    if client == "python-tds":
        values = tuple(pytds.Binary(value) if isinstance(value, bytes) else value for value in values)
    return ", ".join(["?" if client == "mssql-python" else "%s"] * len(values)), values


def rows(connection: Any, statement: str) -> list[tuple[Any, ...]]:
    cursor = connection.cursor()
    cursor.execute(statement)
    found = [tuple(row) for row in cursor.fetchall()]
    cursor.close()
    return found


def test_every_type_comes_back_as_it_went(lab_sql_server: LabSqlServer, connect: Open, client: str) -> None:
    database = lab_sql_server.new_database()
    lab_sql_server.run(f"CREATE TABLE t (id INT IDENTITY(1,1) PRIMARY KEY, {TYPES})", database=database)
    connection = connect(database)
    marks, values = parameters(client, VALUES)
    cursor = connection.cursor()
    cursor.execute(f"INSERT INTO t (n, e, d, c, m, v, w, b) VALUES ({marks})", values)
    cursor.execute("INSERT INTO t (n) VALUES (NULL)")
    cursor.close()
    connection.commit()
    found, empty = rows(connection, "SELECT n, e, d, c, m, v, w, b FROM t ORDER BY id")
    # DATETIME keeps 1/300 s, and pymssql writes every moment as one.
    assert abs(found[1] - VALUES[1]).total_seconds() < (0.004 if client == "pymssql" else 0.000_001)
    assert [found[0], *found[2:]] == [VALUES[0], *VALUES[2:]]
    assert empty == (None,) * len(VALUES)


def test_what_is_rolled_back_was_never_there(lab_sql_server: LabSqlServer, connect: Open) -> None:
    database = lab_sql_server.new_database()
    lab_sql_server.run("CREATE TABLE t (a INT)", database=database)
    connection = connect(database)
    for number, end in ((1, connection.commit), (2, connection.rollback), (3, connection.commit)):
        cursor = connection.cursor()
        cursor.execute(f"INSERT INTO t VALUES ({number})")
        cursor.close()
        end()
    assert rows(connection, "SELECT a FROM t ORDER BY a") == [(1,), (3,)]


def test_a_statement_may_be_executed_many_times(connect: Open, client: str) -> None:
    connection = connect("master")
    mark = parameters(client, (1,))[0]
    found = []
    for number in range(5):
        cursor = connection.cursor()
        cursor.execute(f"SELECT {mark} + 1 AS n", (number,))
        found.append(cursor.fetchone()[0])
        cursor.close()
    assert found == [1, 2, 3, 4, 5]


def test_an_error_has_its_number_and_leaves_the_connection_usable(connect: Open, client: str) -> None:
    connection = connect("master")
    cursor = connection.cursor()
    with pytest.raises((pymssql.Error, pytds.Error, mssql_python.Error)) as refused:
        cursor.execute("SELECT * FROM nowhere")
    assert "Invalid object name 'nowhere'" in str(refused.value)
    if client == "python-tds":
        assert refused.value.number == 208
    connection.rollback()
    assert rows(connection, "SELECT 1") == [(1,)]


def test_a_backup_runs_to_its_end(lab_sql_server: LabSqlServer, connect: Open, client: str) -> None:
    database = lab_sql_server.new_database()
    connection = connect("master")
    if client == "pymssql":
        connection.autocommit(True)
    else:
        connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute(f"BACKUP DATABASE [{database}] TO DISK = N'{database}.bak' WITH NAME = N'{database}', STATS = 10")
    while cursor.nextset():
        pass
    cursor.close()
    assert rows(connection, f"SELECT type FROM msdb.dbo.backupset WHERE name = N'{database}'") == [("D",)]


def test_airflows_hook_reads_writes_and_backs_up(lab_sql_server: LabSqlServer, monkeypatch: pytest.MonkeyPatch) -> None:
    database = lab_sql_server.new_database()
    settings = lab_sql_server.settings
    login = f"{settings.sql_user}:{settings.sql_password}"
    monkeypatch.setenv("AIRFLOW_CONN_LAB_SQL", f"mssql://{login}@{HOST}:{settings.sql_server_port}/{database}")
    hook = MsSqlHook(mssql_conn_id="lab_sql")
    hook.run(["CREATE TABLE t (a INT, b NVARCHAR(20))", "INSERT INTO t VALUES (1, N'ž')"], autocommit=True)
    hook.insert_rows("t", [(2, "x"), (3, None)], target_fields=["a", "b"])
    assert hook.get_records("SELECT a, b FROM t WHERE a >= %s ORDER BY a", parameters=(1,)) == [
        (1, "ž"),
        (2, "x"),
        (3, None),
    ]
    backup = f"BACKUP DATABASE [{database}] TO DISK = N'{database}.bak' WITH NAME = N'{database}'"
    with pytest.raises(pymssql.Error) as refused:
        hook.run(backup)
    assert refused.value.args[0] == 3021
    hook.run(backup, autocommit=True)
    assert hook.get_first(f"SELECT COUNT(*) FROM msdb.dbo.backupset WHERE name = N'{database}'") == (1,)


@pytest.mark.skipif(not shutil.which("tsql"), reason="FreeTDS's tsql is not installed (Debian: freetds-bin)")
def test_freetds_tsql_shows_rows_messages_and_errors(lab_sql_server: LabSqlServer) -> None:
    settings = lab_sql_server.settings
    script = "SELECT N'row ' + N'one' AS a\nGO\nPRINT N'hello'\nGO\nSELECT * FROM nowhere\nGO\nEXIT\n"
    shown = subprocess.run(
        [
            *(str(shutil.which("tsql")), "-H", HOST, "-p", str(settings.sql_server_port)),
            *("-U", settings.sql_user, "-P", settings.sql_password, "-o", "fhq"),
        ],
        input=script,
        capture_output=True,
        text=True,
        env={"TDSVER": "7.4", "LC_ALL": "C.UTF-8"},
        timeout=within(30),
        check=False,
    )
    assert "row one" in shown.stdout
    assert "hello" in shown.stdout + shown.stderr
    assert "Msg 208 (severity 16, state 1)" in shown.stdout + shown.stderr
