"""T-SQL queries as SQLite's SQL: sqlglot reads them; tables, results and values for columns are settled here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.dialects.sqlite import SQLite
from sqlglot.generators.sqlite import SQLiteGenerator

from lab.sqlserver.errors import UNSUPPORTED, SqlServerError
from lab.sqlserver.translation.column_types import base_kind
from lab.sqlserver.translation.dates import DATE_KINDS
from lab.sqlserver.translation.expressions import Expressions, coercion
from lab.sqlserver.translation.remembered import LONGEST_REMEMBERED, Known, TableLike, UsedNames
from lab.sqlserver.translation.results import name_results

APPLIED = {"dm_os_volume_stats": ("database_id", "file_id"), "dm_db_log_stats": ("database_id",)}
"""Functions of the server that give rows, with the columns by which their arguments choose them."""


@dataclass
class Translation:
    """A query for SQLite.

    `kinds` maps names of result columns to T-SQL types, where the query itself tells them. `writes` is the table that
    it changes, `explicit_columns` are those that an INSERT names.
    """

    sql: str
    returns_rows: bool
    kinds: dict[str, str] = field(default_factory=dict)
    writes: TableLike | None = None
    explicit_columns: tuple[str, ...] = ()


def translate(text: str, table: Callable[[tuple[str, ...]], TableLike], variables: Mapping[str, object]) -> Translation:
    """One SELECT, INSERT, UPDATE or DELETE.

    `table` finds a table by the parts of its name and raises where there is none; `variables` holds the values of
    @@SPID and its like (names in capitals) and of all @variables (names in small letters). Raises SqlServerError 102
    for what is no T-SQL, 137 for an unknown variable.
    """
    known = _known(text) if len(text) <= LONGEST_REMEMBERED else []
    for one in known:
        if one.fits(table, variables):
            return one.translation
    used = UsedNames(table, variables)
    translation = _Rewriter(used.table, used).translate(_parse(text))
    known[:] = [Known(translation, tuple(used.tables.items()), tuple(used.read.items()))]
    return translation


@lru_cache(maxsize=512)
def _known(_text: str) -> list[Known[Translation]]:
    """What the text's last translation was, empty at first; the caller's to fill."""
    return []


def translate_expression(text: str) -> str:
    """An expression by itself, as in DEFAULT and CHECK."""
    tree = _parse(f"SELECT {text}")
    if tree.find(exp.Table):
        raise SqlServerError(UNSUPPORTED, "a query inside a DEFAULT or CHECK")
    return _sql(Expressions({}, {}).rewrite(tree.expressions[0]))


class _Generator(SQLiteGenerator):
    """SQLite's SQL with T-SQL's type names, which decide a column's affinity and its type on the wire."""

    def datatype_sql(self, expression: exp.DataType) -> str:
        return '"' + expression.sql(dialect="tsql") + '"'


def _sql(tree: exp.Expr) -> str:
    """A rewritten tree as SQLite's SQL; all names quoted, since SQLite has other keywords than T-SQL."""
    return _Generator(dialect=SQLite(), identify=True).generate(tree)


def _parse(text: str) -> exp.Expr:
    """The statement's tree, the caller's to rewrite."""
    return _parsed(text).copy()


@lru_cache(maxsize=128)
def _parsed(text: str) -> exp.Expr:
    """Clients say the same again and again, and a copy takes a third of what parsing does."""
    try:
        tree = sqlglot.parse_one(text, read="tsql")
    except sqlglot.errors.SqlglotError as error:
        details: list[dict[str, Any]] = getattr(error, "errors", [])
        raise SqlServerError(102, details[0]["highlight"] if details else text[:40]) from None
    if isinstance(tree, exp.Command):
        raise SqlServerError(UNSUPPORTED, f"the statement {text[:60]!r}")
    for lateral in list(tree.find_all(exp.Lateral)):
        _join_applied(lateral)
    return tree


def _join_applied(lateral: exp.Lateral) -> None:
    """CROSS APPLY sys.function(a, b) AS v becomes a join of the view of that name, by the columns of its arguments."""
    call = lateral.this.expression if isinstance(lateral.this, exp.Dot) else lateral.this
    keys = APPLIED.get(call.name.lower())
    if keys is None or not lateral.args.get("cross_apply") or not isinstance(lateral.parent, exp.Join):
        raise SqlServerError(UNSUPPORTED, f"APPLY of {call.name}")
    alias = lateral.alias or call.name
    table = exp.Table(this=exp.to_identifier(call.name), db=exp.to_identifier("sys"), alias=lateral.args.get("alias"))
    on = [
        exp.EQ(this=exp.column(key, table=alias), expression=a) for key, a in zip(keys, call.expressions, strict=True)
    ]
    lateral.parent.set("this", table)
    lateral.parent.set("on", exp.and_(*on))


class _Rewriter:
    """Rewrites one statement's tree. Tables come first: later steps ask for the types of their columns."""

    def __init__(self, table: Callable[[tuple[str, ...]], TableLike], variables: Mapping[str, object]) -> None:
        self._table = table
        self._columns: dict[str, str] = {}  # declared types of all columns in sight, by name in small letters
        self._expressions = Expressions(self._columns, variables)

    def translate(self, tree: exp.Expr) -> Translation:
        if tree.find(exp.Into):
            raise SqlServerError(UNSUPPORTED, "SELECT ... INTO")
        written = self._target(tree)
        self._rename_tables(tree)
        explicit: tuple[str, ...] = ()
        if isinstance(tree, exp.Insert) and written:
            explicit = _insert_columns(tree, written)
            _coerce_inserted(tree, explicit, written)
        if isinstance(tree, exp.Update):
            self._coerce_updated(tree)
        tree = self._expressions.rewrite(tree)
        kinds = name_results(tree, self._expressions) if isinstance(tree, exp.Query) else {}
        returns_rows = isinstance(tree, exp.Query) or tree.args.get("returning") is not None
        return Translation(_sql(tree), returns_rows, kinds, written, explicit)

    def _target(self, tree: exp.Expr) -> TableLike | None:
        """The table that the statement changes; `UPDATE x ... FROM t AS x` becomes `UPDATE t AS x ...` on the way."""
        if isinstance(tree, exp.Update | exp.Delete):
            source = tree.args.get("from_")
            if source and _is_alone(source.this) and source.this.alias_or_name.lower() == tree.this.name.lower():
                tree.set("this", source.this)
                tree.set("from_", None)
            tree.set("tables", None)
        if isinstance(tree, exp.Insert | exp.Update | exp.Delete):
            target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
            return self._table(_parts(target))
        return None

    def _rename_tables(self, tree: exp.Expr) -> None:
        local = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
        for node in list(tree.find_all(exp.Table)):
            parts = _parts(node)
            if len(parts) == 1 and parts[0].lower() in local:
                continue
            table = self._table(parts)
            self._columns.update({column.lower(): kind for column, kind in table.columns.items()})
            renamed = table.name.lower() != parts[-1].lower()
            if renamed and not node.alias and isinstance(node.parent, exp.From | exp.Join):
                node.set("alias", exp.TableAlias(this=exp.to_identifier(parts[-1], quoted=True)))
            node.set("this", exp.to_identifier(table.name, quoted=True))
            node.set("db", exp.to_identifier(table.place, quoted=True))
            node.set("catalog", None)

    def _coerce_updated(self, tree: exp.Update) -> None:
        for assignment in tree.expressions:
            assignment.this.set("table", None)
            kind = base_kind(self._expressions.kind(assignment.this) or "")
            if kind in DATE_KINDS:
                assignment.set("expression", coercion(kind, assignment.expression))


def _insert_columns(tree: exp.Insert, table: TableLike) -> tuple[str, ...]:
    """The columns an INSERT names, in its order; one that names none means all but the identity."""
    if isinstance(tree.this, exp.Schema):
        return tuple(column.name for column in tree.this.expressions)
    if not tree.args.get("default"):
        columns = [exp.to_identifier(column, quoted=True) for column in _settable(table)]
        tree.set("this", exp.Schema(this=tree.this, expressions=columns))
    return ()


def _coerce_inserted(tree: exp.Insert, explicit: tuple[str, ...], table: TableLike) -> None:
    """Give every value for a date column the form in which the column keeps its dates."""
    types = {column.lower(): base_kind(kind) for column, kind in table.columns.items()}
    kinds = [types.get(column.lower(), "") for column in explicit or _settable(table)]
    dated = [(at, kind) for at, kind in enumerate(kinds) if kind in DATE_KINDS]
    source = tree.expression
    rows = source.expressions if isinstance(source, exp.Values) else [source] if isinstance(source, exp.Select) else []
    for row in rows if dated else []:
        values = row.expressions
        for at, kind in dated:
            if at < len(values) and not isinstance(values[at], exp.Star):
                values[at].replace(coercion(kind, values[at].unalias().copy()))


def _settable(table: TableLike) -> tuple[str, ...]:
    return tuple(column for column in table.columns if column != table.identity)


def _is_alone(source: exp.Expr) -> bool:
    """Whether FROM names one table and joins nothing to it."""
    return isinstance(source, exp.Table) and not source.args.get("joins")


def _parts(table: exp.Expr) -> tuple[str, ...]:
    """A table's name as written: database and schema, where given, and name."""
    catalog, schema = table.args.get("catalog"), table.args.get("db")
    if catalog:
        return (catalog.name, schema.name if schema else "", table.name)
    return (schema.name, table.name) if schema else (table.name,)
