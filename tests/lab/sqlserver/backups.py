"""What the tests of BACKUP and RESTORE of whole databases share: a database, its backup, and what refuses it."""

from __future__ import annotations

from typing import Any

import pymssql
import pytest

from lab.testing.sql_server import LabSqlServer, run_on


@pytest.fixture
def database(lab_sql_server: LabSqlServer) -> str:
    """A database with a table of 1,000 rows."""
    name = lab_sql_server.new_database()
    lab_sql_server.run(
        "CREATE TABLE t (id INT IDENTITY(1,1) PRIMARY KEY, a NVARCHAR(100), d DECIMAL(10,2), at DATETIME2)",
        "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO t (a, d, at) "
        "SELECT N'řádek ' + CAST(i AS NVARCHAR(9)), i * 0.25, '2026-11-23' FROM n OPTION (MAXRECURSION 0)",
        database=name,
    )
    return name


def checksum(server: LabSqlServer, database: str) -> list[tuple[Any, ...]]:
    return server.run("SELECT COUNT_BIG(*), CHECKSUM_AGG(BINARY_CHECKSUM(*)) FROM t", database=database)


def refusal(server: LabSqlServer, statement: str, **options: Any) -> tuple[int, list[str]]:
    """The number of the first error that a statement ends in, and all messages that came with it."""
    said: list[str] = []
    with server.connect(**options) as connection:
        connection._conn.set_msghandler(lambda *parts: said.append(parts[-1].decode()))
        with pytest.raises(pymssql.Error) as refused:
            run_on(connection, statement)
    return refused.value.args[0], said


def backup(database: str, name: str | None = None, options: str = "CHECKSUM, COMPRESSION") -> str:
    name = name or database
    return f"BACKUP DATABASE [{database}] TO DISK = N'{name}.bak' WITH NAME = N'{name}', {options}"


def with_names(server: LabSqlServer, statement: str) -> list[dict[str, Any]]:
    with server.connect(as_dict=True) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        rows: Any = cursor.fetchall()
        return list(rows)
