"""Where a statement or an expression ends: T-SQL needs no semicolon between statements, so their words must tell."""

from __future__ import annotations

from lab.sqlserver.tsql.reader import Reader
from lab.sqlserver.tsql.tokens import Kind, Token

STARTERS = frozenset(
    [
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "CREATE",
        "ALTER",
        "DROP",
        "TRUNCATE",
        "BACKUP",
        "RESTORE",
        "DBCC",
        "KILL",
        "USE",
        "SET",
        "DECLARE",
        "EXEC",
        "EXECUTE",
        "IF",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "PRINT",
    ]
)
# After these heads, such a word goes on with the statement, once each, instead of starting another.
_PARTS = {
    "INSERT": {"SELECT", "EXEC", "EXECUTE"},
    "UPDATE": {"SET"},
    "WITH": {"SELECT", "INSERT", "UPDATE", "DELETE"},
}
_SET_OPERATORS = ("UNION", "ALL", "EXCEPT", "INTERSECT")


def skip_statement(reader: Reader, head: str | None = None) -> None:
    """Move past the query or SET here, whose first word is `head`, to the next statement, semicolon, END or ELSE."""
    head = head or reader.here.value.upper()
    parts = set(_PARTS.get(head, ()))
    previous = reader.take()
    while not _ends(reader):
        if reader.here.is_word(*STARTERS):
            word = reader.here.value.upper()
            if not (word in parts or (word == "SELECT" and previous.is_word(*_SET_OPERATORS))):
                return
            parts = (parts - _PARTS.get(head, set())) | _PARTS.get(word, set())
        previous = _skip_unit(reader)


def expression_text(reader: Reader, *stops: str) -> str:
    """The text of the expression here, up to the next statement or to one of the signs or words in `stops`."""
    start = reader.here.start
    first = reader.at
    while not _ends(reader) and not reader.here.is_word(*STARTERS, *stops) and not reader.here.is_symbol(*stops):
        _skip_unit(reader)
    if reader.at == first:
        raise reader.wrong()
    return reader.text[start : reader.tokens[reader.at - 1].end]


def _ends(reader: Reader) -> bool:
    return reader.here.kind is Kind.END or reader.here.is_symbol(";", ")") or reader.here.is_word("END", "ELSE")


def _skip_unit(reader: Reader) -> Token:
    """Move past one token, one parenthesised group or one CASE ... END; returns the token it began with."""
    token = reader.here
    if token.is_symbol("("):
        reader.skip_parentheses()
    elif token.is_word("CASE"):
        _skip_case(reader)
    else:
        reader.take()
    return token


def _skip_case(reader: Reader) -> None:
    reader.expect("CASE")
    while not reader.accept("END"):
        if reader.here.kind is Kind.END:
            raise reader.wrong()
        if reader.here.is_word("ELSE"):
            reader.take()
        else:
            _skip_unit(reader)
