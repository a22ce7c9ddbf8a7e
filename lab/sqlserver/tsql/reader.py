"""Reading tokens one after the other: the small steps that every grammar module is made of."""

from __future__ import annotations

from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.tsql.tokens import Kind, Token, tokenize


class Reader:
    """A place in the tokens of one batch."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.at = 0

    @property
    def here(self) -> Token:
        return self.tokens[self.at]

    def peek(self, ahead: int = 1) -> Token:
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def take(self) -> Token:
        """The token here; the reader moves on, never past the end."""
        token = self.here
        if token.kind is not Kind.END:
            self.at += 1
        return token

    def at_words(self, *words: str) -> bool:
        """Whether the next tokens are exactly these keywords."""
        return all(self.peek(ahead).is_word(word) for ahead, word in enumerate(words))

    def accept(self, *words: str) -> bool:
        """Move past these keywords if they come next, all of them."""
        comes_next = self.at_words(*words)
        if comes_next:
            self.at += len(words)
        return comes_next

    def expect(self, *words: str) -> None:
        """Move past these keywords. Raises SqlServerError 102 if something else comes."""
        for word in words:
            if not self.accept(word):
                raise self.wrong()

    def accept_symbol(self, symbol: str) -> bool:
        comes_next = self.here.is_symbol(symbol)
        if comes_next:
            self.at += 1
        return comes_next

    def expect_symbol(self, symbol: str) -> None:
        if not self.accept_symbol(symbol):
            raise self.wrong()

    def name(self) -> str:
        """An identifier, quoted or not."""
        return self._value(Kind.NAME, Kind.WORD)

    def string(self) -> str:
        return self._value(Kind.STRING)

    def variable(self) -> str:
        return self._value(Kind.VARIABLE)

    def integer(self) -> int:
        if not self.here.value.isdecimal():
            raise self.wrong()
        return int(self._value(Kind.NUMBER))

    def names(self) -> tuple[str, ...]:
        """A name of several parts, `a.b.c` or `a..c`; an omitted part is empty."""
        parts = [self.name()]
        while self.accept_symbol("."):
            parts.append("" if self.here.is_symbol(".") else self.name())
        return tuple(parts)

    def skip_parentheses(self) -> str:
        """Move past a parenthesised group; returns its text, the parentheses included."""
        start, depth = self.here.start, 0
        self.expect_symbol("(")
        depth = 1
        while depth:
            token = self.take()
            if token.kind is Kind.END:
                raise self.wrong()
            depth += token.is_symbol("(") - token.is_symbol(")")
        return self.text[start : self.tokens[self.at - 1].end]

    def wrong(self) -> SqlServerError:
        """The error for the token here: 102."""
        near = self.here if self.here.kind is not Kind.END else self.tokens[max(self.at - 1, 0)]
        return SqlServerError(102, near.value[:60])

    def _value(self, *kinds: Kind) -> str:
        if self.here.kind not in kinds:
            raise self.wrong()
        return self.take().value
