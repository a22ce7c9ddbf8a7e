"""Carrying out SELECT, INSERT, UPDATE and DELETE, and what is worked out by a SELECT: conditions, variables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any

import apsw
from pysqlbridge.tds.result import ColumnType

from lab.sqlserver.engine.context import Context
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.translation.column_types import base_kind, declared_type, type_of_values
from lab.sqlserver.translation.dates import DATE_KINDS, coerce
from lab.sqlserver.translation.dialect import Translation, translate
from lab.sqlserver.translation.results import UNNAMED
from lab.sqlserver.tsql.statements import Declare, If, Print, Query, SetVariable

_SAMPLE = 500  # rows looked at to tell the type of a column that has no declared one

Rows = Iterator[Sequence[object]]


def run(context: Context, query: Query) -> None:
    """Answer with the rows, or with the number of rows changed."""
    with _executed(context, query.text) as (translation, description, rows):
        if query.assigns:
            for row in rows:
                for name, value in zip(query.assigns, row, strict=True):
                    _assign(context, name, value)
            context.reply.done()
        elif translation.returns_rows:
            sample = list(islice(rows, _SAMPLE))
            columns = [_result_column(at, *column, translation.kinds, sample) for at, column in enumerate(description)]
            context.session.row_count = context.reply.rows(columns, chain(sample, rows))
        else:
            context.session.row_count = context.storage.connection.changes()
            context.reply.done(None if context.session.no_count else context.session.row_count)


def holds(context: Context, statement: If) -> bool:
    return bool(value(context, f"CASE WHEN {statement.condition} THEN 1 ELSE 0 END"))


def value(context: Context, expression: str) -> object:
    """The value of an expression or of a subquery in parentheses."""
    with _executed(context, f"SELECT {expression}") as (_, _, rows):
        return next(rows)[0]


def declare(context: Context, statement: Declare) -> None:
    context.session.variables[statement.name.lower()] = None
    if statement.expression is not None:
        result = value(context, statement.expression)
        kind = base_kind(statement.kind)
        context.session.variables[statement.name.lower()] = coerce(result, kind) if kind in DATE_KINDS else result


def set_variable(context: Context, statement: SetVariable) -> None:
    _assign(context, statement.name, value(context, statement.expression))
    context.reply.done()


def print_text(context: Context, statement: Print) -> None:
    text = value(context, statement.expression)
    context.reply.info(0, "" if text is None else text)
    context.reply.done()


def _assign(context: Context, name: str, value: object) -> None:
    if name.lower() not in context.session.variables:
        raise SqlServerError(137, name)
    context.session.variables[name.lower()] = value


@contextmanager
def _executed(context: Context, text: str) -> Iterator[tuple[Translation, list[tuple[str, str | None]], Rows]]:
    """A query at work: its result columns as (name, declared type or None) and the rows as they come."""
    variables = context.session.variables
    first = text.split(maxsplit=1)[0].upper()
    action = first if first in ("INSERT", "UPDATE", "DELETE") else "SELECT"
    translation = translate(
        text, lambda parts: context.storage.table(parts, action), context.global_variables() | variables
    )
    if translation.writes is not None:
        _check_identity(context, translation)
        context.storage.before_writing()
    description: list[tuple[str, str | None]] = []

    def note_columns(cursor: apsw.Cursor, _sql: str, _bindings: object) -> bool:
        description.extend((str(name), declared) for name, declared, *_ in cursor.description_full)
        return True

    cursor = context.storage.connection.cursor()
    cursor.exec_trace = note_columns
    bindings: Any = {name.removeprefix("@"): value for name, value in variables.items()}
    try:
        yield translation, description, iter(cursor.execute(translation.sql, bindings))
    finally:
        cursor.close(True)


def _check_identity(context: Context, translation: Translation) -> None:
    """Only SET IDENTITY_INSERT lets a statement give the identity column a value."""
    table = translation.writes
    if table is None or not table.identity:
        return
    named = {column.lower() for column in translation.explicit_columns}
    if table.identity.lower() in named and context.session.identity_insert != table.name.rpartition(".")[2].lower():
        raise SqlServerError(544, table.name)


def _result_column(
    at: int, name: str, declared: str | None, kinds: dict[str, str], sample: list[Sequence[object]]
) -> tuple[str, ColumnType]:
    """A result column's name and wire type: by its declared type, else by what the query tells, else by its values."""
    kind = declared or kinds.get(name)
    if name.startswith(UNNAMED):
        kind, name = kind or name.removeprefix(UNNAMED), ""
    return name, (declared_type(kind) if kind else None) or type_of_values([row[at] for row in sample])
