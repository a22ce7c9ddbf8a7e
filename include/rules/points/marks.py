"""What others write on a recovery point: how far it was proven, who reads it, and that retention takes it away."""

from __future__ import annotations

from pydantic import AwareDatetime, Field

from include.rules.points.transitions import State
from include.rules.register.tenants import Strict


class Verification(Strict):
    """How far the recovery point was proven (1 complete, 2 readable, 3 proven by a restore), when, and of what."""

    level: int = Field(ge=0, le=3)
    at: AwareDatetime
    checks: tuple[str, ...]
    seconds_apart: int | None = None


class Reader(Strict):
    """A restore that reads the recovery point, and until when that may be believed at the most."""

    restore: str
    until: AwareDatetime


class Expiry(Strict):
    """Retention's mark on a recovery point that nothing keeps any more.

    Attributes:
        previous_state: What the point was before, and is again when it is taken back; stored as `was`.
        deletion_began_at: When its first part was about to be deleted; from then on it cannot be taken back.
    """

    marked_at: AwareDatetime
    previous_state: State = Field(validation_alias="was", serialization_alias="was")
    deletion_began_at: AwareDatetime | None = None
