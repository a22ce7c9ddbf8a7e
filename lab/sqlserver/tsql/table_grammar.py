"""The grammar of tables and indexes: CREATE TABLE, ALTER TABLE, CREATE INDEX DROP TABLE."""

from __future__ import annotations

from lab.sqlserver.errors import UNSUPPORTED, SqlServerError
from lab.sqlserver.tsql.column_grammar import elements, ordered_columns, skip_clustering, skip_storage
from lab.sqlserver.tsql.reader import Reader
from lab.sqlserver.tsql.statements import (
    AlterTable,
    CreateIndex,
    CreateTable,
    DropTable,
)


def create_table(reader: Reader) -> CreateTable:
    """CREATE TABLE name (column or constraint, ...) [ON filegroup]."""
    reader.expect("CREATE", "TABLE")
    table = reader.names()
    reader.expect_symbol("(")
    columns, constraints = elements(reader)
    reader.expect_symbol(")")
    skip_storage(reader)
    return CreateTable(table, columns, constraints)


def alter_table(reader: Reader) -> AlterTable:
    """ALTER TABLE name [WITH CHECK] ADD column or constraint, ..."""
    reader.expect("ALTER", "TABLE")
    table = reader.names()
    reader.accept("WITH", "CHECK")
    if not reader.accept("ADD"):
        raise SqlServerError(UNSUPPORTED, f"ALTER TABLE ... {reader.here.value.upper()}")
    columns, constraints = elements(reader)
    return AlterTable(table, columns, constraints)


def drop_table(reader: Reader) -> DropTable:
    reader.expect("DROP", "TABLE")
    if_exists = reader.accept("IF", "EXISTS")
    tables = [reader.names()]
    while reader.accept_symbol(","):
        tables.append(reader.names())
    return DropTable(tuple(tables), if_exists)


def create_index(reader: Reader) -> CreateIndex:
    """CREATE [UNIQUE] [CLUSTERED|NONCLUSTERED] INDEX name ON table (column [DESC], ...) [INCLUDE (...)]."""
    reader.expect("CREATE")
    unique = reader.accept("UNIQUE")
    skip_clustering(reader)
    reader.expect("INDEX")
    name = reader.name()
    reader.expect("ON")
    table = reader.names()
    columns = ordered_columns(reader)
    if reader.accept("INCLUDE"):
        reader.skip_parentheses()  # copies of columns for speed: nothing a reader of the data could tell
    skip_storage(reader)
    return CreateIndex(name, table, columns, unique)
