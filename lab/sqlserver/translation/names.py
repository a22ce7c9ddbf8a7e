"""Names of tables in SQLite: T-SQL's schema becomes part of the name, except dbo, where nearly all tables are."""

from __future__ import annotations


def quoted(name: str) -> str:
    """`name` as a SQLite identifier."""
    return '"' + name.replace('"', '""') + '"'


def sqlite_name(parts: tuple[str, ...]) -> str:
    """The SQLite name of a table by its T-SQL name of one to three parts: `t` of dbo.t, `sales.t` of sales.t."""
    schema, name = ("", *parts)[-2:]
    return name if schema.lower() in ("", "dbo") else f"{schema}.{name}"


def schema_and_name(inner: str) -> tuple[str, str]:
    """The T-SQL schema and name of a table by its SQLite name."""
    schema, dot, name = inner.partition(".")
    return (schema, name) if dot else ("dbo", inner)
