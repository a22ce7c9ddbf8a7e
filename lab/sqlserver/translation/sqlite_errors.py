"""SQLite's errors as SQL Server's."""

from __future__ import annotations

import re

import apsw

from lab.sqlserver.errors import UNSUPPORTED, SqlServerError
from lab.sqlserver.translation.names import schema_and_name

# What SQLite says, and the number that SQL Server has for it; the group, if any, fills the text.
_BY_TEXT: list[tuple[re.Pattern[str], int]] = [
    (re.compile(r"no such table: (?:main\.)?(.+)"), 208),
    (re.compile(r"no such column: (.+)"), 207),
    (re.compile(r"table .+ has no column named (.+)"), 207),
    (re.compile(r"no such function: (.+)"), 195),
    (re.compile(r"(?:table|index) (.+) already exists"), 2714),
    (re.compile(r'near "(.+)": syntax error'), 102),
]
_UNIQUE = {
    apsw.SQLITE_CONSTRAINT_PRIMARYKEY: "PRIMARY KEY",
    apsw.SQLITE_CONSTRAINT_ROWID: "PRIMARY KEY",
    apsw.SQLITE_CONSTRAINT_UNIQUE: "UNIQUE KEY",
}


def as_sql_server_error(error: apsw.Error, database: str) -> SqlServerError:
    """The error that SQL Server would give in `database` where SQLite gave `error`."""
    if isinstance(error, apsw.ConstraintError):
        return _constraint(error, database)
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return SqlServerError(824, database, error, state=2)
    if isinstance(error, apsw.BusyError):
        return SqlServerError(1222)
    if isinstance(error, apsw.CantOpenError):  # nearly always for lack of descriptors
        return no_file_error(database)
    text = str(error)
    for pattern, number in _BY_TEXT:
        if match := pattern.search(text):
            return SqlServerError(number, match[1])
    return SqlServerError(UNSUPPORTED, f"what this statement asks for ({text})")


def no_file_error(what: str) -> SqlServerError:
    """What SQL Server says where the system opens no more files (the number is Windows'; Linux' is not known)."""
    return SqlServerError(5120, what, 4, 4, "The system cannot open the file.", state=101)


def _constraint(error: apsw.ConstraintError, database: str) -> SqlServerError:
    """A broken constraint; SQLite names the columns as `table.column, table.column`."""
    columns = str(error).partition(": ")[2]
    code: int = error.extendedresult  # type: ignore[attr-defined]  # missing in apsw's type stubs
    table, _, column = columns.partition(", ")[0].rpartition(".")
    name = ".".join(schema_and_name(table))
    if code in _UNIQUE:
        kind = _UNIQUE[code]
        short = ", ".join(part.rpartition(".")[2] for part in columns.split(", "))
        return SqlServerError(2627, kind, name, short)
    if code == apsw.SQLITE_CONSTRAINT_NOTNULL:
        return SqlServerError(515, column, f"{database}.{name}", state=2)
    kind = "FOREIGN KEY" if code == apsw.SQLITE_CONSTRAINT_FOREIGNKEY else "CHECK"
    return SqlServerError(547, kind, database)
