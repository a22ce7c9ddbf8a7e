"""Loading T-SQL scripts as sqlcmd does: batch by batch, GO between them.

`load_script` runs a script through pymssql against any SQL Server, the lab's or a real one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymssql

from lab.sqlserver.tsql.tokens import quote_name

# What may hide a line that reads GO: strings, quoted names, comments. GO itself stands alone on its line, save for a
# count of repetitions or a comment.
_PIECE = re.compile(
    r"""
      (?P<hidden>  '(?:[^']|'')*' | \[(?:[^\]]|\]\])*\] | "(?:[^"]|"")*" | --[^\n]* )
    | (?P<comment> /\* )
    | (?P<go>      ^[^\S\n]*GO(?:[^\S\n]+(?P<count>\d+))?[^\S\n]*(?:--[^\n]*)?$ )
    """,
    re.VERBOSE | re.MULTILINE | re.IGNORECASE | re.DOTALL,
)
_NEXT_OF_INTEREST = re.compile(r"['\[\"]|--|/\*|^[^\S\n]*GO\b", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True)
class Batch:
    """One batch: `number` counts from 1, `line` is where its first statement stands in the script."""

    number: int
    line: int
    text: str


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
    """Run the T-SQL script `path`, in UTF-8, beginning in `database`; `connect_kwargs` are those of pymssql.connect.

    Raises ScriptError with the batch's number, its first line and the server's message where a batch fails.
    """
    batches = list(split_batches(_read(path)))
    options = {**connect_kwargs, "database": database, "autocommit": True}
    with pymssql.connect(**options) as connection, connection.cursor() as cursor:
        for batch in batches:
            try:
                _run(cursor, batch.text)
            except pymssql.Error as error:
                raise ScriptError(_explanation(path, batch, error)) from error
        cursor.execute("SELECT DB_NAME()")
        ((ended_in,),) = cursor.fetchall()
        rows = count_rows(cursor)
    return Loaded(len(batches), str(ended_in), len(rows), sum(rows.values()))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScriptError(
            f"The script {path.name} is not in UTF-8 ({error.reason} at byte {error.start}), so none of it was run. "
            "Save it as UTF-8."
        ) from error


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


def split_batches(script: str) -> Iterator[Batch]:
    """The batches of a script, without those that hold no text; `GO 3` makes three of one."""
    number, start = 0, 0
    for at, end, count in [*_separators(script), (len(script), len(script), 1)]:
        text = script[start:at]
        if text.strip():
            blank = len(text) - len(text.lstrip())
            line = script.count("\n", 0, start + blank) + 1
            for _ in range(count):
                number += 1
                yield Batch(number, line, text.strip())
        start = end


def _separators(script: str) -> Iterator[tuple[int, int, int]]:
    """Every GO that separates: where it starts and ends, and its count."""
    at = 0
    while found := _NEXT_OF_INTEREST.search(script, at):
        piece = _PIECE.match(script, found.start())
        at = piece.end() if piece else found.end()
        if piece is None:
            continue  # a quote that never closes hides nothing
        if piece["comment"]:
            at = _end_of_comment(script, at)
        elif piece["go"] is not None:
            yield piece.start(), piece.end(), int(piece["count"] or 1)


def _end_of_comment(script: str, at: int) -> int:
    """Where the comment that opened before `at` ends; comments nest. One that never ends reaches to the end."""
    depth = 1
    for mark in re.compile(r"/\*|\*/").finditer(script, at):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(script)


def _run(cursor: pymssql.Cursor, text: str) -> None:
    """Run one batch to its end: an error may come after the first result."""
    cursor.execute(text)
    while cursor.nextset():
        pass


def said_by_server(error: pymssql.Error) -> tuple[int, str]:
    """Number and message of an error: the server's words, or the client library's own where the server said nothing."""
    number, text = (*error.args, "")[:2] if error.args else (0, "")
    said = text.decode(errors="replace") if isinstance(text, bytes) else str(text)
    words, _, of_client = said.partition("DB-Lib error message")
    return number, words.strip() or of_client.partition("\n")[2].partition("\n")[0]


def _explanation(path: Path, batch: Batch, error: pymssql.Error) -> str:
    number, said = said_by_server(error)
    first_line = batch.text.partition("\n")[0].strip()
    return (
        f"The script {path.name} failed in batch {batch.number}, which begins in line {batch.line} with: "
        f"{first_line[:100]}\n"
        f"The server said: {said} (error {number})\n"
        f"The {batch.number - 1} batches before it have been carried out; "
        "mend the script and load it into an empty database."
    )
