"""What a batch is made of beside the statements of the other modules: queries, variables, options, transactions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Query:
    """SELECT, INSERT, UPDATE, DELETE: `text` as it came; `assigns` are the variables a SELECT @a = ... fills."""

    text: str
    assigns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Declare:
    """DECLARE @name type [= expression]; `kind` is the type's text."""

    name: str
    kind: str
    expression: str | None


@dataclass(frozen=True)
class SetVariable:
    name: str
    expression: str


@dataclass(frozen=True)
class SetOption:
    """SET NOCOUNT ON and its like: `words` are all words after SET, in capitals but for names."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Execute:
    """EXEC [@result =] procedure [@name =] expression, ...; an argument given by position has an empty name."""

    procedure: tuple[str, ...]
    arguments: tuple[tuple[str, str], ...]
    result: str | None = None


@dataclass(frozen=True)
class Transaction:
    action: Literal["BEGIN", "COMMIT", "ROLLBACK"]


@dataclass(frozen=True)
class Print:
    expression: str
