"""What an approval is good for: the plan that was shown, told by its seal, and no other.

Airflow keeps the question that it has once put under "Required actions", whatever is previewed afterwards. So every
preview names the seal of its plan, the seal of the question is what was approved, and whoever carries a plan out
compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

APPROVE_WITHIN = timedelta(days=2)
"""How long what has been previewed waits for a person's approval."""

NOT_TOLD: Final = "not told"
"""What a step has as the approved seal where nobody has told it: its task was started by an earlier version."""

NOBODY: Final = ""
"""What it has where nobody was asked: the approval was skipped."""

_SEAL = re.compile(r"Plan `([0-9a-f]{16})`")


def seal_of(fingerprint: str) -> str:
    """What people see, and Airflow passes on, of a plan's fingerprint (hexadecimal); empty where there is no plan."""
    return fingerprint[:16]


def sealed(preview: str, fingerprint: str) -> str:
    """A preview (Markdown) that names the seal of its plan, where there is one."""
    if not fingerprint:
        return preview
    return f"{preview}\n\nPlan `{seal_of(fingerprint)}`: an approval is good for it, and for no other."


def seal_in(question: str) -> str:
    """The seal that a preview names; NOT_TOLD for one of an earlier version, which names none."""
    found = _SEAL.findall(question)
    return found[-1] if found else NOT_TOLD


def why_not_approved(approved: str, fingerprint: str, *, asks: bool, changes: Iterable[str]) -> str:
    """Why a plan may not be carried out, to follow its name; empty while it may.

    Args:
        approved: The seal of the plan that was approved; NOBODY or NOT_TOLD where there is none.
        fingerprint: Of the plan that would be carried out.
        asks: True when somebody has to approve it.
        changes: In what it differs from the one that was approved, in words.
    """
    if approved in (NOT_TOLD, seal_of(fingerprint)):
        return ""
    if approved == NOBODY:
        unasked = "has to be approved, and nobody was asked: it was made after its approval had been skipped"
        return unasked if asks else ""
    return f"is not the one that was approved: {'; '.join(changes) or 'nobody knows any more what that was'}"
