"""T-SQL text to tokens: bracketed and quoted names, N'' strings, nested comments, variables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from lab.sqlserver.errors import SqlServerError


class Kind(Enum):
    """What a token is. A NAME was quoted ([a], "a") and is never a keyword; a WORD may be one."""

    WORD = auto()
    NAME = auto()
    STRING = auto()
    NUMBER = auto()
    BINARY = auto()
    VARIABLE = auto()
    SYMBOL = auto()
    END = auto()


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


_TOKEN = re.compile(
    r"""
      (?P<SPACE>    \s+ | --[^\n]* )
    | (?P<STRING>   [Nn]?'(?:[^']|'')*' )
    | (?P<NAME>     \[(?:[^\]]|\]\])*\] | "(?:[^"]|"")*" )
    | (?P<BINARY>   0[xX][0-9A-Fa-f]* )
    | (?P<NUMBER>   (?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)? )
    | (?P<VARIABLE> @@?[\w$\#@]+ )
    | (?P<WORD>     [^\W\d][\w$\#@]* | \#[\w$\#@]+ )
    | (?P<SYMBOL>   <> | != | <= | >= | \+= | -= | [^\s\w'"\[\]] )
    """,
    re.VERBOSE,
)


def tokenize(text: str) -> list[Token]:
    """All tokens of `text` without blanks and comments, an END token last.

    Raises SqlServerError 105 for an unclosed quotation mark or bracket, 113 for an unclosed comment, 102 for a sign
    that T-SQL does not have.
    """
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        if text.startswith("/*", at):
            at = _end_of_comment(text, at)
            continue
        match = _TOKEN.match(text, at)
        if match is None:
            raise SqlServerError(105, text[at + 1 :][:60]) if text[at] in "'\"[" else SqlServerError(102, text[at])
        kind, at = match.lastgroup, match.end()
        if kind != "SPACE":
            tokens.append(Token(Kind[str(kind)], _meaning(str(kind), match.group()), match.start(), at))
    tokens.append(Token(Kind.END, "", len(text), len(text)))
    return tokens


def quote_name(name: str) -> str:
    """`name` as a bracketed T-SQL identifier."""
    return f"[{name.replace(']', ']]')}]"


def quote_string(value: str) -> str:
    """`value` as a T-SQL nvarchar literal."""
    return "N'" + value.replace("'", "''") + "'"


def _meaning(kind: str, text: str) -> str:
    if kind == "STRING":
        return text[text.index("'") + 1 : -1].replace("''", "'")
    if kind == "NAME":
        return text[1:-1].replace(text[-1] * 2, text[-1])
    return text


def _end_of_comment(text: str, start: int) -> int:
    """Where the comment that opens at `start` ends. T-SQL's comments nest."""
    depth, at = 0, start
    while at < len(text):
        if text.startswith("/*", at):
            depth, at = depth + 1, at + 2
        elif text.startswith("*/", at):
            depth, at = depth - 1, at + 2
            if depth == 0:
                return at
        else:
            at += 1
    raise SqlServerError(113)
