"""T-SQL scripts as sqlcmd and SSMS read them: batches, and GO between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lab.sqlserver.tsql.tokens import Kind, pieces

# GO stands alone on its line, save for a count of repetitions or a comment.
_REST_OF_LINE = re.compile(r"(?:[^\S\n]+(\d+))?[^\S\n]*(?:--[^\n]*)?(?=\n|\Z)")


@dataclass(frozen=True)
class Batch:
    """One batch: `number` counts from 1, `line` is where its first statement stands in the script."""

    number: int
    line: int
    text: str


def split_batches(script: str) -> Iterator[Batch]:
    """The batches of a script, without those that hold no text; `GO 3` makes three of one."""
    number, start = 0, 0
    for at, end, count in [*_separators(script), (len(script), len(script), 1)]:
        text = script[start:at]
        if text.strip():
            blank = len(text) - len(text.lstrip())
            line = script.count("\n", 0, start + blank) + 1
            for _ in range(count):
                number += 1
                yield Batch(number, line, text.strip())
        start = end


def ends_with_go(script: str) -> bool:
    """Whether nothing but blanks follows the last GO, so that all batches of the script are whole."""
    ends = [end for _, end, _ in _separators(script)]
    return bool(ends) and not script[ends[-1] :].strip()


def _separators(script: str) -> Iterator[tuple[int, int, int]]:
    """Every GO that separates: where it starts and ends, and its count. A quote that never closes hides nothing."""
    for kind, start, end in pieces(script):
        if kind is not Kind.WORD or script[start:end].upper() != "GO":
            continue
        first_of_line = not script[script.rfind("\n", 0, start) + 1 : start].strip()
        rest = _REST_OF_LINE.match(script, end)
        if first_of_line and rest:
            yield start, rest.end(), int(rest[1] or 1)
