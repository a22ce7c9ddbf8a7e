"""What T-SQL calls the columns of a result, and of which type they are, where the query itself tells."""

from __future__ import annotations

from sqlglot import exp

from lab.sqlserver.translation.column_types import base_kind
from lab.sqlserver.translation.expressions import FUNCTION_KINDS, Expressions

UNNAMED = "\x1f"  # begins the name of a result column that has none; what follows it is the column's type


def name_results(tree: exp.Expr, expressions: Expressions) -> dict[str, str]:
    """Leave unnamed expressions without a name, as T-SQL does, and note the types that the query tells."""
    kinds: dict[str, str] = {}
    select = tree.find(exp.Select)
    for projection in list(select.expressions) if select else []:
        kind = _kind(projection.unalias(), expressions)
        if not isinstance(projection, exp.Alias | exp.Column | exp.Star):
            projection.replace(exp.alias_(projection.copy(), f"{UNNAMED}{kind or ''}", quoted=True))
        elif kind:
            kinds[projection.alias_or_name] = kind
    return kinds


def _kind(node: exp.Expr, expressions: Expressions) -> str | None:
    """The T-SQL type of an expression, where it is plain to see."""
    if isinstance(node, exp.Cast):
        return str(node.to.sql(dialect="tsql"))
    if isinstance(node, exp.Count):
        return "BIGINT" if node.args.get("big_int") else "INT"
    if isinstance(node, exp.Min | exp.Max | exp.Coalesce):
        return expressions.kind(node.this)
    if isinstance(node, exp.Sum):
        return _kind_of_sum(expressions.kind(node.this) or "")
    if isinstance(node, exp.Anonymous):
        return FUNCTION_KINDS.get(node.name.upper())
    return None


def _kind_of_sum(kind: str) -> str | None:
    """The type of a SUM over a column of type `kind`."""
    if base_kind(kind) in ("DECIMAL", "NUMERIC"):
        scale = kind.partition(",")[2].rstrip(")").strip()
        return f"DECIMAL(38,{scale or 0})"
    return kind if base_kind(kind) == "MONEY" else None
