"""What the tests of chains of backups share: a database of the full recovery model, its backups and restores."""

from __future__ import annotations

import time
from typing import Any

import pymssql
import pytest

from lab.testing.sql_server import LabSqlServer


@pytest.fixture
def database(lab_sql_server: LabSqlServer) -> str:
    """A database of the full recovery model with rows 1 to 3; the table has no key."""
    name = lab_sql_server.new_database()
    lab_sql_server.run("CREATE TABLE t (a INT, b NVARCHAR(200))", database=name)
    add(lab_sql_server, name, 1, 2, 3)
    return name


def add(server: LabSqlServer, database: str, *numbers: int) -> None:
    server.run(*(f"INSERT INTO t VALUES ({number}, N'row {number}')" for number in numbers), database=database)


def rows(server: LabSqlServer, database: str) -> list[int]:
    return [number for (number,) in server.run("SELECT a FROM t ORDER BY a", database=database)]


def back_up(
    server: LabSqlServer, database: str, name: str, options: str = "STATS = 50", kind: str = "DATABASE"
) -> None:
    server.run(
        f"BACKUP {kind} [{database}] TO DISK = N'{database}-{name}.bak' WITH NAME = N'{name}', CHECKSUM, {options}"
    )


def back_up_log(server: LabSqlServer, database: str, name: str, options: str = "STATS = 50") -> None:
    back_up(server, database, name, options, "LOG")


def restore(
    server: LabSqlServer, database: str, name: str, options: str = "NORECOVERY", kind: str = "DATABASE"
) -> None:
    server.run(f"RESTORE {kind} [{database}] FROM DISK = N'{database}-{name}.bak' WITH CHECKSUM, {options}")


def restore_log(server: LabSqlServer, database: str, name: str, options: str = "NORECOVERY") -> None:
    restore(server, database, name, options, "LOG")


def header(server: LabSqlServer, database: str, name: str) -> dict[str, Any]:
    with server.connect(as_dict=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"RESTORE HEADERONLY FROM DISK = N'{database}-{name}.bak'")
        row: Any = cursor.fetchone()
        return dict(row)


def server_time(server: LabSqlServer) -> str:
    """A moment with nothing committed just before and just after it."""
    time.sleep(0.05)
    ((moment,),) = server.run("SELECT CONVERT(NVARCHAR(30), SYSDATETIME())")
    time.sleep(0.05)
    return str(moment)


def state(server: LabSqlServer, database: str) -> str:
    ((found,),) = server.run(f"SELECT state_desc FROM sys.databases WHERE name = N'{database}'")
    return str(found)


def refused(server: LabSqlServer, statement: str) -> int:
    with pytest.raises(pymssql.Error) as error:
        server.run(statement)
    return int(error.value.args[0])
