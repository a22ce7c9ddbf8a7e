"""The states of a recovery point, and the one table of what moves it from one to another.

`Manifest.moved` is the only place that writes the state of a recovery point that there is, and it asks this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What a recovery point is worth.

    running: being made, represents nothing. pending: all parts complete, not yet verified. verified: can be restored.
    failed: could not be made. expiring: in its grace period before deletion. expired: only the tombstone is left.
    """

    RUNNING = "running"
    PENDING = "pending"
    VERIFIED = "verified"
    FAILED = "failed"
    EXPIRING = "expiring"
    EXPIRED = "expired"


WHOLE = (State.VERIFIED, State.PENDING)
"""States of a recovery point that has all its parts."""


class Act(StrEnum):
    """What is done to a recovery point that may change its state; the values label the arrows of the diagram."""

    OPEN = "open"
    OPEN_AGAIN = "open again"
    RESUME = "resume"
    DROP_PART = "drop a part"
    COMPLETE = "complete"
    VERIFY = "verify"
    CLOSE = "close"
    ABANDON = "abandon"
    LOSE_PARTS = "lose parts"
    MARK = "mark"
    TAKE_BACK = "take back"
    BEGIN_DELETION = "begin deletion"
    FIND_WHOLE = "find whole"
    BURY = "leave a tombstone"


@dataclass(frozen=True)
class Transition:
    """One arrow: `act` takes a recovery point from `before` (None: there is none yet) to `after`.

    Two arrows of one act from one state say that the manifest knows which (`Expiry.previous_state`).
    """

    act: Act
    before: State | None
    after: State


TRANSITIONS = (
    # The attempt: `open`, the steps, `close`. A step that is verifying may find that the one before it, fenced off by
    # now, has verified the point with its last write: it goes on, and what it finds damaged still counts.
    Transition(Act.OPEN, None, State.RUNNING),
    Transition(Act.OPEN_AGAIN, State.RUNNING, State.RUNNING),
    Transition(Act.OPEN_AGAIN, State.PENDING, State.RUNNING),
    Transition(Act.OPEN_AGAIN, State.FAILED, State.RUNNING),
    Transition(Act.RESUME, State.RUNNING, State.RUNNING),
    Transition(Act.RESUME, State.PENDING, State.PENDING),
    Transition(Act.DROP_PART, State.RUNNING, State.RUNNING),
    Transition(Act.DROP_PART, State.PENDING, State.RUNNING),
    Transition(Act.DROP_PART, State.VERIFIED, State.RUNNING),
    Transition(Act.COMPLETE, State.RUNNING, State.PENDING),
    Transition(Act.COMPLETE, State.PENDING, State.PENDING),
    Transition(Act.COMPLETE, State.VERIFIED, State.VERIFIED),
    Transition(Act.VERIFY, State.PENDING, State.VERIFIED),
    Transition(Act.VERIFY, State.VERIFIED, State.VERIFIED),
    Transition(Act.CLOSE, State.RUNNING, State.FAILED),
    # Retention: what it finds, what it decides, what it does.
    Transition(Act.ABANDON, State.RUNNING, State.FAILED),
    Transition(Act.LOSE_PARTS, State.PENDING, State.FAILED),
    Transition(Act.LOSE_PARTS, State.VERIFIED, State.FAILED),
    Transition(Act.LOSE_PARTS, State.EXPIRING, State.EXPIRING),
    Transition(Act.MARK, State.PENDING, State.EXPIRING),
    Transition(Act.MARK, State.VERIFIED, State.EXPIRING),
    Transition(Act.MARK, State.FAILED, State.EXPIRING),
    Transition(Act.TAKE_BACK, State.EXPIRING, State.PENDING),
    Transition(Act.TAKE_BACK, State.EXPIRING, State.VERIFIED),
    Transition(Act.TAKE_BACK, State.EXPIRING, State.FAILED),
    Transition(Act.BEGIN_DELETION, State.EXPIRING, State.EXPIRING),
    Transition(Act.FIND_WHOLE, State.EXPIRING, State.PENDING),
    Transition(Act.FIND_WHOLE, State.EXPIRING, State.VERIFIED),
    Transition(Act.FIND_WHOLE, State.EXPIRING, State.FAILED),
    Transition(Act.BURY, State.EXPIRING, State.EXPIRED),
    Transition(Act.BURY, State.EXPIRED, State.EXPIRED),  # an interrupted run had written it, and nothing else yet
)
"""All transitions. `close` of a point that is pending or verified leaves its state; so does a hold, except that one on
an expiring point takes it back."""


def outcomes(act: Act, before: State | None) -> tuple[State, ...]:
    """The states that `act` may lead to from `before`; empty where it is not allowed."""
    return tuple(arrow.after for arrow in TRANSITIONS if (arrow.act, arrow.before) == (act, before))


def allows(state: State, act: Act) -> bool:
    """True when `act` may be done to a recovery point in this state."""
    return bool(outcomes(act, state))
