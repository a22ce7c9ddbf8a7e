"""Tables and indexes: T-SQL's definitions as SQLite's.

Declared types stay as T-SQL wrote them, quoted, because SQLite keeps any type name and the wire needs them. The one
exception is an identity column: only `INTEGER PRIMARY KEY AUTOINCREMENT` counts by itself in SQLite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw

from lab.sqlserver.engine.user_tables import user_tables
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.translation.column_types import TEXT_KINDS, base_kind
from lab.sqlserver.translation.dates import DATE_KINDS
from lab.sqlserver.translation.dialect import translate_expression
from lab.sqlserver.translation.names import quoted, sqlite_name
from lab.sqlserver.tsql.statements import (
    AlterTable,
    ColumnDefinition,
    CreateIndex,
    CreateTable,
    DropTable,
    TableConstraint,
)

if TYPE_CHECKING:
    from lab.sqlserver.engine.context import Context


def create_table(context: Context, statement: CreateTable) -> None:
    connection = _for_writing(context)
    name = sqlite_name(statement.table)
    if _exists(connection, name):
        raise SqlServerError(2714, statement.table[-1])
    constraints = [
        *statement.constraints,
        *(constraint for column in statement.columns for constraint in column.constraints),
    ]
    identity = next((column for column in statement.columns if column.identity_seed is not None), None)
    key = next((constraint.columns for constraint in constraints if constraint.kind == "PRIMARY KEY"), ())
    parts = [
        _column(column, required=column.name.lower() in {part.lower() for part in key}) for column in statement.columns
    ]
    for constraint in constraints:
        if identity and constraint.kind == "PRIMARY KEY":
            if constraint.columns != (identity.name,):
                parts.append(f"UNIQUE ({_list(constraint.columns)})")
        else:
            parts.append(_constraint(connection, constraint))
    connection.execute(f"CREATE TABLE {quoted(name)} ({', '.join(parts)})")
    if identity:
        connection.execute(
            "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, (identity.identity_seed or 0) - 1)
        )


def alter_table(context: Context, statement: AlterTable) -> None:
    connection = _for_writing(context)
    name = context.storage.table(statement.table).name
    for column in statement.columns:
        connection.execute(f"ALTER TABLE {quoted(name)} ADD COLUMN {_column(column, required=False)}")
    for constraint in (
        *statement.constraints,
        *(constraint for column in statement.columns for constraint in column.constraints),
    ):
        if constraint.kind in ("PRIMARY KEY", "UNIQUE"):
            index = f"{name}.{constraint.name or '_'.join(constraint.columns)}"
            connection.execute(f"CREATE UNIQUE INDEX {quoted(index)} ON {quoted(name)} ({_list(constraint.columns)})")
        else:
            _add_constraint(context, connection, name, constraint)


def drop_table(context: Context, statement: DropTable) -> None:
    connection = _for_writing(context)
    for parts in statement.tables:
        name = sqlite_name(parts)
        if not _exists(connection, name):
            if statement.if_exists:
                continue
            raise SqlServerError(3701, "table", ".".join(parts))
        if _is_referenced(connection, name):
            raise SqlServerError(3726, ".".join(parts))
        connection.execute(f"DROP TABLE {quoted(name)}")


def create_index(context: Context, statement: CreateIndex) -> None:
    connection = _for_writing(context)
    table = context.storage.table(statement.table).name
    columns = ", ".join(quoted(name) + (" DESC" if descending else "") for name, descending in statement.columns)
    unique = "UNIQUE " if statement.unique else ""
    connection.execute(f"CREATE {unique}INDEX {quoted(f'{table}.{statement.name}')} ON {quoted(table)} ({columns})")


def _for_writing(context: Context) -> apsw.Connection:
    context.storage.before_writing()
    return context.storage.connection


def _exists(connection: apsw.Connection, name: str) -> bool:
    return name.lower() in (table.lower() for table in user_tables(connection))


def _is_referenced(connection: apsw.Connection, name: str) -> bool:
    """Whether another table has a foreign key to this one."""
    for table in user_tables(connection):
        referenced = connection.execute("SELECT lower([table]) FROM pragma_foreign_key_list(?)", (table,))
        if table != name and (name.lower(),) in list(referenced):
            return True
    return False


def _column(column: ColumnDefinition, required: bool) -> str:
    if column.identity_seed is not None:
        return f"{quoted(column.name)} INTEGER PRIMARY KEY AUTOINCREMENT"
    kind = "INT" if column.kind == "INTEGER" else column.kind
    parts = [quoted(column.name), quoted(kind)]
    if base_kind(kind) in TEXT_KINDS:
        parts.append("COLLATE NOCASE")  # the server's default collation is case-insensitive
    if required or not column.nullable:
        parts.append("NOT NULL")
    if column.default is not None:
        default = translate_expression(column.default)
        parts.append(
            f"DEFAULT (TO_{base_kind(kind)}({default}))" if base_kind(kind) in DATE_KINDS else f"DEFAULT ({default})"
        )
    return " ".join(parts)


def _constraint(connection: apsw.Connection, constraint: TableConstraint) -> str:
    head = f"CONSTRAINT {quoted(constraint.name)} " if constraint.name else ""
    if constraint.kind == "CHECK":
        return f"{head}CHECK ({translate_expression(constraint.check or '')})"
    if constraint.kind != "FOREIGN KEY" or constraint.reference is None:
        return f"{head}{constraint.kind} ({_list(constraint.columns)})"
    other, columns = constraint.reference
    if not _exists(connection, sqlite_name(other)):
        raise SqlServerError(1767, constraint.name or "", ".".join(other))
    referenced = f" ({_list(columns)})" if columns else ""
    actions = " ".join(constraint.actions)
    target = f"{quoted(sqlite_name(other))}{referenced} {actions}".rstrip()
    return f"{head}FOREIGN KEY ({_list(constraint.columns)}) REFERENCES {target}"


def _add_constraint(context: Context, connection: apsw.Connection, table: str, constraint: TableConstraint) -> None:
    """Add a foreign key or a check to a table that exists, as SQLite documents it (lang_altertable, section 7)."""
    addition = _constraint(connection, constraint)
    with connection:  # a savepoint: all of it or nothing
        ((definition,),) = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,)
        )
        version = connection.pragma("schema_version")
        connection.pragma("writable_schema", "ON")
        changed = f"{str(definition).rstrip().removesuffix(')')}, {addition})"
        connection.execute("UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND name = ?", (changed, table))
        connection.pragma("schema_version", version + 1)
        connection.pragma("writable_schema", "RESET")
        if list(connection.execute(f"PRAGMA foreign_key_check({quoted(table)})")):
            raise SqlServerError(547, "FOREIGN KEY", context.session.database)
        if constraint.kind == "CHECK":
            broken = f"SELECT 1 FROM {quoted(table)} WHERE NOT ({translate_expression(constraint.check or '')}) LIMIT 1"  # noqa: S608
            if list(connection.execute(broken)):
                raise SqlServerError(547, "CHECK", context.session.database)


def _list(columns: tuple[str, ...]) -> str:
    return ", ".join(map(quoted, columns))
