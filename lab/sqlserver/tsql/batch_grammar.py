"""The grammar of a batch: statements one after the other, with or without semicolons, IF, BEGIN ... END, variables.

A whole batch is read before anything of it runs, as SQL Server does: a syntax error anywhere runs nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from lab.sqlserver.errors import UNSUPPORTED, SqlServerError
from lab.sqlserver.tsql import backup_grammar, database_grammar, principal_grammar, table_grammar
from lab.sqlserver.tsql.extent import expression_text, skip_statement
from lab.sqlserver.tsql.reader import Reader
from lab.sqlserver.tsql.statements import (
    Block,
    Declare,
    Execute,
    If,
    Print,
    Query,
    SetOption,
    SetVariable,
    Statement,
    Transaction,
)
from lab.sqlserver.tsql.tokens import Kind


def parse_batch(text: str) -> list[Statement]:
    """The statements of one batch.

    Raises SqlServerError 102 (and 105, 113, 155) where the text is no T-SQL, 50000 where the lab does not know it.
    """
    reader = Reader(text)
    statements = []
    while _skip_semicolons(reader):
        statements.append(_statement(reader))
    return statements


def _skip_semicolons(reader: Reader) -> bool:
    """Move to the next statement; False at the end of the batch."""
    while reader.accept_symbol(";"):
        pass
    return reader.here.kind is not Kind.END


def _statement(reader: Reader) -> Statement:
    for words, grammar in _GRAMMARS:
        if reader.at_words(*words):
            return grammar(reader)
    raise reader.wrong()


def _block(reader: Reader) -> Block:
    reader.expect("BEGIN")
    statements = []
    while _skip_semicolons(reader) and not reader.at_words("END"):
        statements.append(_statement(reader))
    reader.expect("END")
    return Block(tuple(statements))


def _if(reader: Reader) -> If:
    reader.expect("IF")
    condition = expression_text(reader)
    then = _statement(reader)
    at = reader.at
    _skip_semicolons(reader)
    if not reader.accept("ELSE"):
        reader.at = at
        return If(condition, then)
    return If(condition, then, _statement(reader))


def _transaction(reader: Reader) -> Transaction:
    """BEGIN, COMMIT, ROLLBACK [TRAN[SACTION] [name]]."""
    action = reader.name().upper()
    if reader.accept("TRAN") or reader.accept("TRANSACTION"):
        if reader.here.kind is Kind.NAME:
            reader.take()
    else:
        reader.accept("WORK")
    return Transaction(action)  # type: ignore[arg-type]


def _declare(reader: Reader) -> Statement:
    """DECLARE @a type [= expression], @b ...: a block of one declaration each."""
    reader.expect("DECLARE")
    declarations = []
    while True:
        name = reader.variable()
        reader.accept("AS")
        kind = table_grammar.data_type(reader)
        declarations.append(Declare(name, kind, expression_text(reader, ",") if reader.accept_symbol("=") else None))
        if not reader.accept_symbol(","):
            return Block(tuple(declarations))


def _set(reader: Reader) -> SetVariable | SetOption:
    reader.expect("SET")
    if reader.here.kind is Kind.VARIABLE:
        name = reader.variable()
        reader.expect_symbol("=")
        return SetVariable(name, expression_text(reader))
    start = reader.at
    skip_statement(reader)
    words = reader.tokens[start : reader.at]
    return SetOption(tuple(word.value if word.kind is Kind.NAME else word.value.upper() for word in words))


def _execute(reader: Reader) -> Execute:
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


def _select(reader: Reader) -> Query:
    """A SELECT; one that fills variables loses its `@a =` parts, so that what is left is a plain query."""
    if reader.peek().kind is not Kind.VARIABLE or not reader.peek(2).is_symbol("="):
        return _query(reader)
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


def _query(reader: Reader) -> Query:
    start = reader.here.start
    skip_statement(reader)
    return Query(reader.text[start : reader.tokens[reader.at - 1].end])


def _print(reader: Reader) -> Print:
    reader.expect("PRINT")
    return Print(expression_text(reader))


_GRAMMARS: list[tuple[tuple[str, ...], Callable[[Reader], Statement]]] = [
    (("BEGIN", "TRAN"), _transaction),
    (("BEGIN", "TRANSACTION"), _transaction),
    (("BEGIN",), _block),
    (("COMMIT",), _transaction),
    (("ROLLBACK",), _transaction),
    (("IF",), _if),
    (("DECLARE",), _declare),
    (("SET",), _set),
    (("EXEC",), _execute),
    (("EXECUTE",), _execute),
    (("PRINT",), _print),
    (("USE",), database_grammar.use),
    (("KILL",), database_grammar.kill),
    (("DBCC",), database_grammar.check_database),
    (("BACKUP",), backup_grammar.backup),
    (("RESTORE",), backup_grammar.restore),
    (("CREATE", "DATABASE"), database_grammar.create_database),
    (("ALTER", "DATABASE"), database_grammar.alter_database),
    (("DROP", "DATABASE"), database_grammar.drop_database),
    (("CREATE", "CREDENTIAL"), database_grammar.create_credential),
    (("DROP", "CREDENTIAL"), database_grammar.drop_credential),
    (("CREATE", "LOGIN"), principal_grammar.create_login),
    (("CREATE", "USER"), principal_grammar.create_user),
    (("ALTER", "USER"), principal_grammar.alter_user),
    (("DROP", "LOGIN"), principal_grammar.drop),
    (("DROP", "USER"), principal_grammar.drop),
    (("ALTER", "ROLE"), principal_grammar.alter_role),
    (("ALTER", "SERVER", "ROLE"), principal_grammar.alter_role),
    (("GRANT",), principal_grammar.grant),
    (("REVOKE",), principal_grammar.grant),
    (("CREATE", "TABLE"), table_grammar.create_table),
    (("ALTER", "TABLE"), table_grammar.alter_table),
    (("DROP", "TABLE"), table_grammar.drop_table),
    (("TRUNCATE", "TABLE"), table_grammar.truncate_table),
    (("CREATE", "INDEX"), table_grammar.create_index),
    (("CREATE", "UNIQUE"), table_grammar.create_index),
    (("CREATE", "CLUSTERED"), table_grammar.create_index),
    (("CREATE", "NONCLUSTERED"), table_grammar.create_index),
    (("DROP", "INDEX"), table_grammar.drop_index),
    (("SELECT",), _select),
    (("WITH",), _query),
    (("INSERT",), _query),
    (("UPDATE",), _query),
    (("DELETE",), _query),
]
