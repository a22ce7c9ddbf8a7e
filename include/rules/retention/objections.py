"""A guard's no, in words that an operator can act on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Guard(StrEnum):
    """The names of the guards, as messages and docs use them; EMPTY_POLICY is the policy's own."""

    NOTHING_KEPT = "NOTHING_KEPT"
    STALE = "STALE"
    MAX_DELETE = "MAX_DELETE"
    UNKNOWN_TENANT = "UNKNOWN_TENANT"
    OFFBOARDED = "OFFBOARDED"
    PLAN_CHANGED = "PLAN_CHANGED"
    PARTS_LOST = "PARTS_LOST"


@dataclass(frozen=True)
class Objection:
    """One guard's no.

    Attributes:
        tenant: Whom it stops; None for the whole fleet.
        what, why, todo: What happened, why it matters, what the operator does now; one sentence each.
        approvable: True when a person may look at the plan and let it go on.
        needs_operator: True when an operator has to know of it although most of this guard's objections call nobody.
    """

    guard: Guard
    tenant: str | None
    what: str
    why: str
    todo: str
    approvable: bool = False
    needs_operator: bool = False

    def __str__(self) -> str:
        return f"{self.guard}: {self.what} {self.why} {self.todo}"


def ask_approval(tenant: str) -> str:
    """Which run to start so that a person can look at a plan and let it go on."""
    return f"Start `retention` with `tenant: {tenant}`: it shows the plan, asks for approval and goes on."
