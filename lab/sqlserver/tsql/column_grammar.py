"""The grammar of what a table is made of: columns, their types, and constraints."""

from __future__ import annotations

from lab.sqlserver.errors import UNSUPPORTED, SqlServerError
from lab.sqlserver.tsql.reader import Reader
from lab.sqlserver.tsql.statements import ColumnDefinition, TableConstraint
from lab.sqlserver.tsql.tokens import Kind

_CONSTRAINT_WORDS = ("CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK")


def elements(reader: Reader) -> tuple[tuple[ColumnDefinition, ...], tuple[TableConstraint, ...]]:
    """Columns and constraints, with commas between them."""
    columns: list[ColumnDefinition] = []
    constraints: list[TableConstraint] = []
    while True:
        if reader.here.is_word(*_CONSTRAINT_WORDS):
            constraints.append(_constraint(reader, ()))
        else:
            columns.append(_column(reader))
        if not reader.accept_symbol(","):
            return tuple(columns), tuple(constraints)


def _column(reader: Reader) -> ColumnDefinition:
    name, kind = reader.name(), data_type(reader)
    nullable, seed, default = True, None, None
    constraints: list[TableConstraint] = []
    while not (reader.here.is_symbol(",", ")", ";") or reader.here.kind is Kind.END):
        if reader.accept("NOT", "NULL"):
            nullable = False
        elif reader.accept("NULL"):
            nullable = True
        elif reader.accept("IDENTITY"):
            seed = _identity_seed(reader)
        elif reader.accept("COLLATE"):
            reader.name()
        elif reader.at_words("DEFAULT") or (reader.at_words("CONSTRAINT") and reader.peek(2).is_word("DEFAULT")):
            default = _default(reader)
        elif reader.here.is_word(*_CONSTRAINT_WORDS, "REFERENCES"):
            constraints.append(_constraint(reader, (name,)))
        else:
            break
    return ColumnDefinition(name, kind, nullable, seed, default, tuple(constraints))


def data_type(reader: Reader) -> str:
    """A type with its size, in capitals and without blanks: `NVARCHAR(160)`, `DECIMAL(10,2)`, `VARBINARY(MAX)`."""
    kind = reader.names()[-1].upper()
    return kind + "".join(reader.skip_parentheses().upper().split()) if reader.here.is_symbol("(") else kind


def _identity_seed(reader: Reader) -> int:
    if not reader.accept_symbol("("):
        return 1
    seed = reader.integer()
    reader.expect_symbol(",")
    if reader.integer() != 1:
        raise SqlServerError(UNSUPPORTED, "IDENTITY with an increment other than 1")
    reader.expect_symbol(")")
    return seed


def _default(reader: Reader) -> str:
    if reader.accept("CONSTRAINT"):
        reader.name()
    reader.expect("DEFAULT")
    if reader.here.is_symbol("("):
        return reader.skip_parentheses()
    start = reader.here.start
    if reader.here.is_symbol("-", "+"):
        reader.take()
    reader.take()
    if reader.here.is_symbol("("):
        reader.skip_parentheses()
    return reader.text[start : reader.tokens[reader.at - 1].end]


def _constraint(reader: Reader, own_column: tuple[str, ...]) -> TableConstraint:
    """A constraint of a table, or of the column `own_column` when it stands behind one."""
    name = reader.name() if reader.accept("CONSTRAINT") else None
    if reader.accept("CHECK"):
        return TableConstraint("CHECK", name, check=reader.skip_parentheses())
    if reader.accept("PRIMARY", "KEY"):
        return TableConstraint("PRIMARY KEY", name, _key_columns(reader, own_column))
    if reader.accept("UNIQUE"):
        return TableConstraint("UNIQUE", name, _key_columns(reader, own_column))
    if reader.accept("FOREIGN", "KEY") and not own_column:
        own_column = _columns(reader)
    reader.expect("REFERENCES")
    other = reader.names()
    referenced = _columns(reader) if reader.here.is_symbol("(") else ()
    return TableConstraint("FOREIGN KEY", name, own_column, (other, referenced), _actions(reader))


def _actions(reader: Reader) -> tuple[str, ...]:
    """ON DELETE CASCADE and its like, each as text."""
    actions = []
    while reader.at_words("ON") and reader.peek().is_word("DELETE", "UPDATE"):
        reader.take()
        event = reader.name().upper()
        for action in (("NO", "ACTION"), ("SET", "NULL"), ("SET", "DEFAULT"), ("CASCADE",)):
            if reader.accept(*action):
                actions.append(f"ON {event} {' '.join(action)}")
                break
        else:
            raise reader.wrong()
    return tuple(actions)


def _key_columns(reader: Reader, own_column: tuple[str, ...]) -> tuple[str, ...]:
    skip_clustering(reader)
    columns = own_column or _columns(reader)
    skip_storage(reader)
    return columns


def _columns(reader: Reader) -> tuple[str, ...]:
    return tuple(name for name, _ in ordered_columns(reader))


def ordered_columns(reader: Reader) -> tuple[tuple[str, bool], ...]:
    """(column [ASC | DESC], ...): each name, and whether it descends."""
    reader.expect_symbol("(")
    columns = []
    while True:
        name = reader.name()
        descending = reader.accept("DESC")
        reader.accept("ASC")
        columns.append((name, descending))
        if not reader.accept_symbol(","):
            break
    reader.expect_symbol(")")
    return tuple(columns)


def skip_clustering(reader: Reader) -> None:
    """In which order rows are stored means nothing here."""
    if not reader.accept("CLUSTERED"):
        reader.accept("NONCLUSTERED")


def skip_storage(reader: Reader) -> None:
    """Where and how pages are stored means nothing here: WITH (PAD_INDEX = OFF, ...), ON [PRIMARY], TEXTIMAGE_ON."""
    while True:
        if reader.at_words("WITH") and reader.peek().is_symbol("("):
            reader.take()
            reader.skip_parentheses()
        elif (reader.at_words("ON") and not reader.peek().is_word("DELETE", "UPDATE")) or reader.at_words(
            "TEXTIMAGE_ON"
        ):
            reader.take()
            reader.name()
        else:
            return
