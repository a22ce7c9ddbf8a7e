"""T-SQL expressions as SQLite's: literals, variables, functions and operators that SQLite would take differently."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlglot import exp

from lab.sqlserver.errors import UNSUPPORTED, SqlServerError
from lab.sqlserver.translation.column_types import TEXT_KINDS, base_kind
from lab.sqlserver.translation.dates import DATE_KINDS

_MAX_TEXT = 2**31 - 1  # characters of an NVARCHAR(MAX)

# What functions return that leave no trace of it in SQLite.
FUNCTION_KINDS = {
    "GETDATE": "DATETIME",
    "GETUTCDATE": "DATETIME",
    "SYSDATETIME": "DATETIME2",
    "SYSUTCDATETIME": "DATETIME2",
    "DATEADD": "DATETIME",
    "NEWID": "UNIQUEIDENTIFIER",
    "CHECKSUM_AGG": "INT",
    "LEN": "INT",
    **{f"TO_{kind}": kind for kind in DATE_KINDS},
}


def coercion(kind: str, value: exp.Expr) -> exp.Anonymous:
    """`value` made a date of that kind (see functions)."""
    return exp.Anonymous(this=f"TO_{kind}", expressions=[value])


class Expressions:
    """Rewrites expressions. `columns`: declared types by column name in small letters; `variables`: as in translate."""

    def __init__(self, columns: Mapping[str, str], variables: Mapping[str, object]) -> None:
        self._columns, self._variables = columns, variables

    def rewrite(self, tree: exp.Expr) -> exp.Expr:
        """Rewrite a whole tree, innermost nodes first; returns its new root."""
        for node in reversed(list(tree.walk(bfs=False))):
            replacement = self._rewritten(node)
            if replacement is not node:
                if node is tree:
                    tree = replacement
                else:
                    node.replace(replacement)
        return tree

    def kind(self, node: exp.Expr | None) -> str | None:
        """The declared type of a column reference."""
        return self._columns.get(node.name.lower()) if isinstance(node, exp.Column) else None

    def _rewritten(self, node: exp.Expr) -> exp.Expr:
        for kinds, rewrite in _REWRITES:
            if isinstance(node, kinds):
                return rewrite(self, node)
        return node

    def _variable(self, node: exp.Parameter) -> exp.Expr:
        """@@NAME becomes its value, @name stays to be bound."""
        if isinstance(node.parent, exp.Parameter):
            return node  # the inner half of @@NAME
        is_global = isinstance(node.this, exp.Parameter)
        name = f"@@{node.this.name.upper()}" if is_global else f"@{node.name.lower()}"
        if name not in self._variables:
            raise SqlServerError(137, name)
        return exp.convert(self._variables[name]) if is_global else exp.Parameter(this=exp.var(node.name.lower()))

    def _column(self, node: exp.Column) -> exp.Expr:
        if node.table.upper() in ("INSERTED", "DELETED"):
            node.set("table", None)
        node.set("db", None)
        node.set("catalog", None)
        return node

    def _cast(self, node: exp.Cast) -> exp.Expr:
        kind = base_kind(node.to.sql(dialect="tsql"))
        return coercion(kind, node.this) if kind in DATE_KINDS else node

    def _convert(self, node: exp.Convert) -> exp.Expr:
        """CONVERT is CAST but for its style, which says how a date or binary value is written as text."""
        kind, style = base_kind(node.this.sql(dialect="tsql")), node.args.get("style")
        if style is None or kind in DATE_KINDS:
            return self._cast(exp.Cast(this=node.expression, to=node.this))
        if kind not in TEXT_KINDS:
            raise SqlServerError(UNSUPPORTED, f"CONVERT to {kind} with a style")
        digits = exp.Literal.number(3 if self.kind(node.expression) in ("DATETIME", "SMALLDATETIME") else 7)
        size = node.this.find(exp.DataTypeParam)
        length = size.this if size and size.this.name.isdecimal() else exp.Literal.number(_MAX_TEXT)
        styled = exp.Anonymous(this="STYLED", expressions=[node.expression, style, digits])
        return exp.Substring(this=styled, start=exp.Literal.number(1), length=length)

    def _length(self, node: exp.Length) -> exp.Expr:
        """LEN of the value itself: sqlglot makes it text first, which ends a binary value at its first NUL."""
        is_made_text = isinstance(node.this, exp.Cast) and node.this.to.is_type(exp.DataType.Type.TEXT)
        return exp.Anonymous(this="LEN", expressions=[node.this.this if is_made_text else node.this])

    def _function(self, node: exp.Anonymous) -> exp.Expr:
        if node.name.upper() in ("BINARY_CHECKSUM", "CHECKSUM") and node.find(exp.Star):
            node.set("expressions", [exp.column(column, quoted=True) for column in self._columns])
        return node

    def _add(self, node: exp.Add) -> exp.Expr:
        return exp.DPipe(this=node.this, expression=node.expression) if self._is_text(node) else node

    def _is_text(self, node: exp.Expr) -> bool:
        if isinstance(node, exp.Add | exp.DPipe):
            return self._is_text(node.this) or self._is_text(node.expression)
        if isinstance(node, exp.Cast):
            return base_kind(node.to.sql(dialect="tsql")) in TEXT_KINDS
        if isinstance(node, exp.Column):
            return base_kind(self.kind(node) or "") in TEXT_KINDS
        return isinstance(node, exp.Literal) and bool(node.is_string)

    def _comparison(self, node: exp.Binary) -> exp.Expr:
        """A date column compared with text: the text must have the form in which the column keeps its dates."""
        for this, other in (("this", "expression"), ("expression", "this")):
            kind = base_kind(self.kind(node.args[this]) or "")
            if kind in DATE_KINDS and isinstance(node.args[other], exp.Literal | exp.Parameter):
                node.set(other, coercion(kind, node.args[other]))
        return node


def _date_function(name: str, node: exp.DateAdd | exp.DateDiff) -> exp.Anonymous:
    """DATEADD and DATEDIFF with their unit as text."""
    unit = exp.Literal.string(node.args["unit"].name)
    return exp.Anonymous(this=name, expressions=[unit, node.expression, node.this])


def _plain(name: str) -> Callable[[Expressions, exp.Expr], exp.Expr]:
    return lambda _, node: exp.Anonymous(this=name)


_REWRITES: list[tuple[Any, Callable[[Expressions, Any], exp.Expr]]] = [
    (exp.National, lambda _, node: exp.Literal.string(node.name)),
    (exp.Parameter, Expressions._variable),
    (exp.Column, Expressions._column),
    (exp.Convert, Expressions._convert),
    (exp.Cast, Expressions._cast),
    (exp.Length, Expressions._length),
    (exp.Anonymous, Expressions._function),
    (exp.Add, Expressions._add),
    ((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE), Expressions._comparison),
    (exp.CurrentTimestamp, _plain("GETDATE")),
    (exp.Uuid, _plain("NEWID")),
    (exp.CurrentUser, lambda _, node: exp.Anonymous(this="SUSER_SNAME", expressions=[node.this] if node.this else [])),
    (exp.DateAdd, lambda _, node: _date_function("DATEADD", node)),
    (exp.DateDiff, lambda _, node: _date_function("DATEDIFF", node)),
    (exp.TimeStrToTime, lambda _, node: node.this),
]
