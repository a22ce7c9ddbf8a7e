"""Columns of system tables and reports, declared in one line of text: `name SYSNAME; database_id INT; ...`."""

from __future__ import annotations

from lab.sqlserver.translation.column_types import TEXT_KINDS, base_kind
from lab.sqlserver.translation.names import quoted


def columns(text: str) -> list[tuple[str, str]]:
    """Names and T-SQL types of the columns that `text` declares, one `name TYPE` between semicolons."""
    return [(name, kind) for name, kind in (declaration.split() for declaration in text.split(";"))]


def sqlite_columns(text: str) -> str:
    """The same columns as SQLite defines them: types kept as they are, text compared without case."""
    return ", ".join(
        f"{quoted(name)} {quoted(kind)}{' COLLATE NOCASE' if base_kind(kind) in TEXT_KINDS else ''}"
        for name, kind in columns(text)
    )
