"""What has gone wrong in one attempt, step by step: the first cause stays first, whatever comes after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from include.rules.register.tenants import Strict

LONGEST = 2000
"""Characters that are kept of a failure: a server's own messages can be long."""

ENDS = (".", "]", "!", "?")
"""What a message ends with that needs no full stop before the next one."""

KEPT = 6
"""How many failures an attempt remembers: the first one, and the first of those after it."""

INTERRUPTED = "The run was ended before it was done."
"""What is known of an attempt of which no step has failed."""

NO_REASON = (
    "The task was ended from outside before it could say why: somebody has marked it, or Airflow has ended it. The "
    "run's audit log in Airflow says who."
)
"""What is known of a step that has failed and left no word."""


class StepFailure(Strict):
    """One failure of a step.

    Attributes:
        step: The task's id; empty where nobody knows.
        message: What happened, to whom, why it matters, what to do.
    """

    step: str
    message: str

    def __str__(self) -> str:
        return f"`{self.step}` failed: {self.message}" if self.step else self.message


class Failing(Protocol):
    """A document that remembers the failures of its attempt, and in `failure` what they come to."""

    @property
    def failure(self) -> str | None: ...

    @property
    def failures(self) -> tuple[StepFailure, ...]: ...


def with_failures(document: Failing, more: Iterable[StepFailure], *, clean_up: Sequence[str] = ()) -> dict[str, object]:
    """The fields of a document of which further failures are known; arguments as those of `merged`."""
    return _fields(merged(_failures(document), more, clean_up=clean_up))


def without_step(document: Failing, step: str) -> dict[str, object]:
    """The fields of a document whose step was done after all: its own failures no longer matter, those of others do."""
    return _fields(tuple(failure for failure in _failures(document) if failure.step != step))


def merged(
    known: Iterable[StepFailure], more: Iterable[StepFailure], *, clean_up: Sequence[str] = ()
) -> tuple[StepFailure, ...]:
    """Failures in the order in which they are told, bounded.

    Args:
        more: Failures that were heard of otherwise; one of a step that has left no reason adds nothing to what is
            known of that step.
        clean_up: Steps that run after a failure: theirs is never the first cause of another's.
    """
    failures = list(known)
    for failure in more:
        without_reason = failure.message == NO_REASON and any(other.step == failure.step for other in failures)
        bounded = failure.model_copy(update={"message": shorten(failure.message)})
        if bounded not in failures and not without_reason:
            failures.append(bounded)
    return tuple(sorted(failures, key=lambda failure: failure.step in clean_up))[:KEPT]


def describe(failures: Sequence[StepFailure]) -> str | None:
    """The first cause in words, and after it what has failed later; None when nothing has."""
    *before, last = [str(failure) for failure in failures] or [""]
    return "".join(f"{text}{'' if text[-1:] in ENDS else '.'} After that " for text in before) + last or None


def shorten(text: str) -> str:
    """A message at its longest; what is left out is marked."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def _failures(document: Failing) -> tuple[StepFailure, ...]:
    """The document's failures; one of before this field names no step."""
    if document.failure and not document.failures:
        return (StepFailure(step="", message=document.failure),)
    return document.failures


def _fields(failures: tuple[StepFailure, ...]) -> dict[str, object]:
    return {"failures": failures, "failure": describe(failures)}
