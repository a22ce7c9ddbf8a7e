"""T-SQL scripts as sqlcmd and SSMS read them: batches, and GO between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lab.sqlserver.tsql.tokens import Kind, pieces

MOST_REPETITIONS = 2**31 - 1  # as sqlcmd has it

# GO stands alone on its line, save for a count of repetitions or a comment.
_REST_OF_LINE = re.compile(r"(?:[^\S\n]+(\d+))?[^\S\n]*(?:--[^\n]*)?(?=\n|\Z)")


class RepetitionError(RuntimeError):
    """A GO asks for more repetitions than there can be."""


@dataclass(frozen=True)
class Batch:
    """One batch: `number` counts from 1, `line` is where its first statement stands in the script."""

    number: int
    line: int
    text: str


def split_batches(script: str) -> Iterator[Batch]:
    """The batches of a script, without those that hold no text; `GO 3` makes three of one.

    Raises RepetitionError at once, before the first batch, where a GO counts too far.
    """
    separators = [(start, end, _repetitions(script, start, count)) for start, end, count in _separators(script)]
    return _batches(script, [*separators, (len(script), len(script), 1)])


def _batches(script: str, separators: list[tuple[int, int, int]]) -> Iterator[Batch]:
    number, start, line, counted = 0, 0, 1, 0
    for at, end, repetitions in separators:
        text = script[start:at]
        if text.strip():
            first = start + len(text) - len(text.lstrip())
            line += script.count("\n", counted, first)
            counted = first
            for _ in range(repetitions):
                number += 1
                yield Batch(number, line, text.strip())
        start = end


def _repetitions(script: str, start: int, count: str) -> int:
    """How often the batch before the GO at `start` runs, by the count that follows it."""
    digits = count.lstrip("0")
    if len(digits) > len(str(MOST_REPETITIONS)) or int(digits or 0) > MOST_REPETITIONS:
        line = script.count("\n", 0, start) + 1
        raise RepetitionError(
            f"The GO in line {line} asks for more than {MOST_REPETITIONS} repetitions, so nothing was run."
        )
    return int(digits or 0)


def ends_with_go(script: str) -> bool:
    """Whether nothing but blanks follows the last GO, so that all batches of the script are whole."""
    ends = [end for _, end, _ in _separators(script)]
    return bool(ends) and not script[ends[-1] :].strip()


def _separators(script: str) -> Iterator[tuple[int, int, str]]:
    """Every GO that separates: its start, its end, its count in digits. A quote that never closes hides nothing."""
    for kind, start, end in pieces(script):
        if kind is not Kind.WORD or script[start:end].upper() != "GO":
            continue
        first_of_line = not script[script.rfind("\n", 0, start) + 1 : start].strip()
        rest = _REST_OF_LINE.match(script, end)
        if first_of_line and rest:
            yield start, rest.end(), rest[1] or "1"
