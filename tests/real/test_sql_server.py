"""Error numbers that Perennial relies on, asked of the lab's SQL Server and of a real one."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pymssql
import pytest

pytestmark = pytest.mark.lab

REFUSED = {
    911: ["BACKUP DATABASE [{name}_nowhere] TO DISK = N'{name}.bak'"],
    3201: ["RESTORE HEADERONLY FROM DISK = N'{name}_nowhere.bak'"],
    3021: ["BEGIN TRANSACTION", "BACKUP DATABASE [{name}] TO DISK = N'{name}.bak'"],
    3031: ["RESTORE DATABASE [{name}] FROM DISK = N'{name}.bak' WITH RECOVERY, NORECOVERY"],
    3035: ["BACKUP DATABASE [{name}] TO DISK = N'{name}.bak' WITH DIFFERENTIAL"],
    3217: ["BACKUP DATABASE [{name}] TO DISK = N'{name}.bak' WITH STATS = 101"],
    4214: ["BACKUP LOG [{name}] TO DISK = N'{name}.bak'"],
}


@pytest.mark.parametrize("number", REFUSED)
def test_a_statement_that_cannot_be_carried_out_is_refused_with_the_same_number(
    connect: Callable[..., pymssql.Connection], number: int
) -> None:
    name = f"perennial_test_{uuid4().hex[:12]}"
    with connect() as connection:
        connection.cursor().execute(f"CREATE DATABASE [{name}]")
    try:
        assert _refusal(connect, [statement.format(name=name) for statement in REFUSED[number]]) == number
    finally:
        with connect() as connection:
            connection.cursor().execute(f"DROP DATABASE [{name}]")


def _refusal(connect: Callable[..., pymssql.Connection], statements: list[str]) -> int:
    """The number of the error of the last statement; the others succeed."""
    with connect() as connection:
        cursor = connection.cursor()
        for statement in statements[:-1]:
            cursor.execute(statement)
        with pytest.raises(pymssql.Error) as refused:
            cursor.execute(statements[-1])
        return int(refused.value.args[0])
