"""The grammar of queries and of what stands between them: variables, options, procedures, transactions."""

from __future__ import annotations

from lab.sqlserver.errors import UNSUPPORTED, SqlServerError
from lab.sqlserver.tsql.column_grammar import data_type
from lab.sqlserver.tsql.extent import expression_text, skip_statement
from lab.sqlserver.tsql.reader import Reader
from lab.sqlserver.tsql.statements import (
    Block,
    Declare,
    Execute,
    Print,
    Query,
    SetOption,
    SetVariable,
    Statement,
    Transaction,
)
from lab.sqlserver.tsql.tokens import Kind


def transaction(reader: Reader) -> Transaction:
    """BEGIN, COMMIT, ROLLBACK [TRAN[SACTION] [name]]."""
    action = reader.name().upper()
    if reader.accept("TRAN") or reader.accept("TRANSACTION"):
        if reader.here.kind is Kind.NAME:
            reader.take()
    else:
        reader.accept("WORK")
    return Transaction(action)  # type: ignore[arg-type]


def declare(reader: Reader) -> Statement:
    """DECLARE @a type [= expression], @b ...: a block of one declaration each."""
    reader.expect("DECLARE")
    declarations = []
    while True:
        name = reader.variable()
        reader.accept("AS")
        kind = data_type(reader)
        declarations.append(Declare(name, kind, expression_text(reader, ",") if reader.accept_symbol("=") else None))
        if not reader.accept_symbol(","):
            return Block(tuple(declarations))


def set_statement(reader: Reader) -> SetVariable | SetOption:
    reader.expect("SET")
    if reader.here.kind is Kind.VARIABLE:
        name = reader.variable()
        reader.expect_symbol("=")
        return SetVariable(name, expression_text(reader))
    start = reader.at
    skip_statement(reader)
    words = reader.tokens[start : reader.at]
    return SetOption(tuple(word.value if word.kind is Kind.NAME else word.value.upper() for word in words))


def execute(reader: Reader) -> Execute:
    """EXEC [@result =] procedure [[@name =] expression [OUTPUT], ...]."""
    if not reader.accept("EXEC"):
        reader.expect("EXECUTE")
    result = None
    if reader.here.kind is Kind.VARIABLE:
        result = reader.variable()
        reader.expect_symbol("=")
    if reader.here.is_symbol("("):
        raise SqlServerError(UNSUPPORTED, "EXEC of a string")
    procedure = reader.names()
    arguments: list[tuple[str, str]] = []
    if _at_argument(reader):
        arguments.append(_argument(reader))
        while reader.accept_symbol(","):
            arguments.append(_argument(reader))
    return Execute(procedure, tuple(arguments), result)


def _at_argument(reader: Reader) -> bool:
    return reader.here.kind in (Kind.VARIABLE, Kind.STRING, Kind.NUMBER, Kind.BINARY) or reader.here.is_symbol("-")


def _argument(reader: Reader) -> tuple[str, str]:
    name = ""
    if reader.here.kind is Kind.VARIABLE and reader.peek().is_symbol("="):
        name = reader.variable().removeprefix("@")
        reader.expect_symbol("=")
    return name, expression_text(reader, ",")


def select(reader: Reader) -> Query:
    """A SELECT; one that fills variables loses its `@a =` parts, so that what is left is a plain query."""
    if reader.peek().kind is not Kind.VARIABLE or not reader.peek(2).is_symbol("="):
        return query(reader)
    start = reader.take().start
    assigns, expressions = [], []
    while True:
        assigns.append(reader.variable())
        reader.expect_symbol("=")
        expressions.append(expression_text(reader, ",", "FROM"))
        if not reader.accept_symbol(","):
            break
    rest = reader.here.start
    if reader.at_words("FROM"):
        skip_statement(reader, head="SELECT")
    tail = reader.text[rest : reader.tokens[reader.at - 1].end] if rest > start else ""
    return Query(f"SELECT {', '.join(expressions)} {tail}".rstrip(), tuple(assigns))


def query(reader: Reader) -> Query:
    start = reader.here.start
    skip_statement(reader)
    return Query(reader.text[start : reader.tokens[reader.at - 1].end])


def print_statement(reader: Reader) -> Print:
    reader.expect("PRINT")
    return Print(expression_text(reader))
