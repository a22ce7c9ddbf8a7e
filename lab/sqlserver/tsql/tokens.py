"""T-SQL text to tokens: bracketed and quoted names, N'' strings, nested comments, variables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from lab.sqlserver.errors import SqlServerError


class Kind(Enum):
    """What a token is. A NAME was quoted ([a], "a") and is never a keyword; a WORD may be one.

    Some pieces of a text are no tokens: SPACE is a blank or a comment, UNCLOSED a quotation mark, bracket or comment
    that does not end, UNKNOWN a sign that T-SQL does not have.
    """

    WORD = auto()
    NAME = auto()
    STRING = auto()
    NUMBER = auto()
    BINARY = auto()
    VARIABLE = auto()
    SYMBOL = auto()
    END = auto()
    SPACE = auto()
    UNCLOSED = auto()
    UNKNOWN = auto()


@dataclass(frozen=True)
class Token:
    """`value` is what the token means (quotes removed, doubled ones single), `start` to `end` its place in the text."""

    kind: Kind
    value: str
    start: int
    end: int

    def is_word(self, *words: str) -> bool:
        return self.kind is Kind.WORD and self.value.upper() in words

    def is_symbol(self, *symbols: str) -> bool:
        return self.kind is Kind.SYMBOL and self.value in symbols


_PIECE = re.compile(
    r"""
      (?P<SPACE>    \s+ | --[^\n]* )
    | (?P<COMMENT>  /\* )
    | (?P<STRING>   [Nn]?'(?:[^']|'')*' )
    | (?P<NAME>     \[(?:[^\]]|\]\])*\] | "(?:[^"]|"")*" )
    | (?P<BINARY>   0[xX][0-9A-Fa-f]* )
    | (?P<NUMBER>   (?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)? )
    | (?P<VARIABLE> @@?[\w$\#@]+ )
    | (?P<WORD>     [^\W\d][\w$\#@]* | \#[\w$\#@]+ )
    | (?P<SYMBOL>   <> | != | <= | >= | \+= | -= | [^\s\w'"\[\]] )
    | (?P<UNCLOSED> ['"\[] )
    | (?P<UNKNOWN>  . )
    """,
    re.VERBOSE,
)
_KINDS = {kind.name: kind for kind in Kind}
_COMMENT_MARK = re.compile(r"/\*|\*/")


def pieces(text: str) -> Iterator[tuple[Kind, int, int]]:
    """Every piece of `text`, whole or broken, with its start and end; they follow on each other without a gap."""
    at = 0
    while piece := _PIECE.match(text, at):
        start, at = at, piece.end()
        name = str(piece.lastgroup)
        if name == "COMMENT":
            end = _end_of_comment(text, at)
            at = end or len(text)
            name = "SPACE" if end else "UNCLOSED"
        yield _KINDS[name], start, at


def tokenize(text: str) -> list[Token]:
    """All tokens of `text` without blanks and comments, an END token last.

    Raises SqlServerError 105 for an unclosed quotation mark or bracket, 113 for an unclosed comment, 102 for a sign
    that T-SQL does not have.
    """
    tokens = []
    for kind, start, end in pieces(text):
        if kind is Kind.UNCLOSED:
            raise SqlServerError(113) if text[start] == "/" else SqlServerError(105, text[end:][:60])
        if kind is Kind.UNKNOWN:
            raise SqlServerError(102, text[start])
        if kind is not Kind.SPACE:
            tokens.append(Token(kind, _meaning(kind, text[start:end]), start, end))
    tokens.append(Token(Kind.END, "", len(text), len(text)))
    return tokens


def quote_name(name: str) -> str:
    """`name` as a bracketed T-SQL identifier."""
    return f"[{name.replace(']', ']]')}]"


def _meaning(kind: Kind, text: str) -> str:
    if kind is Kind.STRING:
        return text[text.index("'") + 1 : -1].replace("''", "'")
    if kind is Kind.NAME:
        return text[1:-1].replace(text[-1] * 2, text[-1])
    return text


def _end_of_comment(text: str, at: int) -> int | None:
    """Where the comment that has opened before `at` ends, None where it does not. T-SQL's comments nest."""
    depth = 1
    for mark in _COMMENT_MARK.finditer(text, at):
        depth += 1 if mark.group() == "/*" else -1
        if depth == 0:
            return mark.end()
    return None
