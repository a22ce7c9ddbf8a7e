"""The grammar of a batch: statements one after the other, with or without semicolons, IF, BEGIN ... END.

A whole batch is read before anything of it runs, as SQL Server does: a syntax error anywhere runs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from lab.sqlserver.tsql import (
    backup_grammar,
    database_grammar,
    encryption_grammar,
    principal_grammar,
    query_grammar,
    table_grammar,
)
from lab.sqlserver.tsql.extent import expression_text
from lab.sqlserver.tsql.reader import Reader
from lab.sqlserver.tsql.statements import Block, If, Statement
from lab.sqlserver.tsql.tokens import Kind

_LONGEST_REMEMBERED = 4_000  # characters: longer batches are rows to insert, which nobody says twice


def parse_batch(text: str) -> Sequence[Statement]:
    """The statements of one batch.

    Raises SqlServerError 102 (and 105, 113, 155) where the text is no T-SQL, 50000 where the lab does not know it.
    """
    return _remembered(text) if len(text) <= _LONGEST_REMEMBERED else _read(text)


@lru_cache(maxsize=512)
def _remembered(text: str) -> tuple[Statement, ...]:
    """Clients say the same again and again; statements never change."""
    return _read(text)


def _read(text: str) -> tuple[Statement, ...]:
    reader = Reader(text)
    statements = []
    while _skip_semicolons(reader):
        statements.append(_statement(reader))
    return tuple(statements)


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


_GRAMMARS: list[tuple[tuple[str, ...], Callable[[Reader], Statement]]] = [
    (("BEGIN", "TRAN"), query_grammar.transaction),
    (("BEGIN", "TRANSACTION"), query_grammar.transaction),
    (("BEGIN",), _block),
    (("COMMIT",), query_grammar.transaction),
    (("ROLLBACK",), query_grammar.transaction),
    (("IF",), _if),
    (("DECLARE",), query_grammar.declare),
    (("SET",), query_grammar.set_statement),
    (("EXEC",), query_grammar.execute),
    (("EXECUTE",), query_grammar.execute),
    (("PRINT",), query_grammar.print_statement),
    (("USE",), database_grammar.use),
    (("KILL",), database_grammar.kill),
    (("DBCC",), database_grammar.check_database),
    (("BACKUP", "CERTIFICATE"), encryption_grammar.backup_certificate),
    (("CREATE", "CERTIFICATE"), encryption_grammar.create_certificate),
    (("DROP", "CERTIFICATE"), encryption_grammar.drop_certificate),
    (("CREATE", "DATABASE", "ENCRYPTION"), encryption_grammar.create_key),
    (("DROP", "DATABASE", "ENCRYPTION"), encryption_grammar.drop_key),
    (("ALTER", "AUTHORIZATION"), principal_grammar.alter_authorization),
    (("BACKUP",), backup_grammar.backup),
    (("RESTORE",), backup_grammar.restore),
    (("CREATE", "DATABASE"), database_grammar.create_database),
    (("ALTER", "DATABASE"), database_grammar.alter_database),
    (("DROP", "DATABASE"), database_grammar.drop_database),
    (("ALTER", "AVAILABILITY", "GROUP"), database_grammar.alter_availability_group),
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
    (("CREATE", "INDEX"), table_grammar.create_index),
    (("CREATE", "UNIQUE"), table_grammar.create_index),
    (("CREATE", "CLUSTERED"), table_grammar.create_index),
    (("CREATE", "NONCLUSTERED"), table_grammar.create_index),
    (("SELECT",), query_grammar.select),
    (("WITH",), query_grammar.query),
    (("INSERT",), query_grammar.query),
    (("UPDATE",), query_grammar.query),
    (("DELETE",), query_grammar.query),
]
