"""Loading T-SQL scripts as sqlcmd does: batch by batch, GO between them.

`load_script` runs a script through pymssql against any SQL Server, the lab's or a real one.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymssql

from lab.sqlserver.tsql.script import Batch, split_batches
from lab.sqlserver.tsql.tokens import quote_name

_ENCODINGS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True)
class Loaded:
    """What a script has done: the batches run, the database it ended in, and the tables and rows that are there now."""

    batches: int
    database: str
    tables: int
    rows: int


class ScriptError(RuntimeError):
    """A batch failed; those before it have been carried out."""


def load_script(path: Path, database: str, connect_kwargs: Mapping[str, Any]) -> Loaded:
    """Run the T-SQL script `path` on the server of `connect_kwargs` (of pymssql.connect), beginning in `database`.

    Raises ScriptError where the file is no text, and RepetitionError where a GO counts too far, before anything is run;
    and ScriptError with the batch's number, its first line and the server's message where a batch fails.
    """
    batches = split_batches(_read(path))  # one at a time: a GO may ask for millions
    done = 0
    options = {**connect_kwargs, "database": database, "autocommit": True}
    with pymssql.connect(**options) as connection, connection.cursor() as cursor:
        for batch in batches:
            try:
                _run(cursor, batch.text)
            except pymssql.Error as error:
                raise ScriptError(_explanation(path, batch, error)) from error
            done = batch.number
        cursor.execute("SELECT DB_NAME()")
        ((ended_in,),) = cursor.fetchall()
        rows = count_rows(cursor)
    return Loaded(done, str(ended_in), len(rows), sum(rows.values()))


def _read(path: Path) -> str:
    """The text of a script: in UTF-8, or in UTF-16 with a byte order mark, as SSMS writes it."""
    with path.open("rb") as file:
        encoding = _ENCODINGS.get(file.read(2), "utf-8-sig")
    try:
        with path.open(encoding=encoding, newline="") as file:  # a line's end inside a string is data
            text = file.read()
    except UnicodeDecodeError as error:
        raise ScriptError(
            f"The script {path.name} is not in {error.encoding.upper()} ({error.reason} at byte {error.start}), so "
            "none of it was run. Save it as UTF-8, or as UTF-16 with a byte order mark."
        ) from error
    if "\0" in text:
        raise ScriptError(
            f"The script {path.name} holds zero bytes, so it is no text, or UTF-16 without its byte order mark, and "
            "none of it was run. Save it as UTF-8, or as UTF-16 with a byte order mark."
        )
    return text


def count_rows(cursor: pymssql.Cursor) -> dict[str, int]:
    """The number of rows of every table in the current database, by `schema.table`."""
    cursor.execute(
        "SELECT s.name, t.name FROM sys.tables AS t JOIN sys.schemas AS s ON s.schema_id = t.schema_id ORDER BY 1, 2"
    )
    tables: Any = cursor.fetchall()
    counts = {}
    for schema, table in tables:
        cursor.execute(f"SELECT COUNT_BIG(*) FROM {quote_name(schema)}.{quote_name(table)}")  # noqa: S608 - quoted names
        ((count,),) = cursor.fetchall()
        counts[f"{schema}.{table}"] = int(str(count))
    return counts


def _run(cursor: pymssql.Cursor, text: str) -> None:
    """Run one batch to its end: an error may come after the first result."""
    cursor.execute(text)
    while cursor.nextset():
        pass


def server_message(error: pymssql.Error) -> tuple[int, str]:
    """Number and message of an error: the server's words, or the client library's own where the server said nothing."""
    number, text = (*error.args, "")[:2] if error.args else (0, "")
    message = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    words, _, of_client = message.partition("DB-Lib error message")
    return number, words.strip() or of_client.partition("\n")[2].partition("\n")[0]


def _explanation(path: Path, batch: Batch, error: pymssql.Error) -> str:
    number, message = server_message(error)
    first_line = batch.text.partition("\n")[0].strip()
    return (
        f"The script {path.name} failed in batch {batch.number}, which begins in line {batch.line} with: "
        f"{first_line[:100]}\n"
        f"The server said: {message} (error {number})\n"
        f"The {batch.number - 1} batches before it have been carried out; "
        "mend the script and load it into an empty database."
    )
