"""Legal holds: a person's word that a recovery point stays, whatever the policy says."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import AwareDatetime, Field

from include.rules.points.moments import in_utc
from include.rules.register.tenants import Strict


class Hold(Strict):
    """Why a recovery point must not go, who says so, and until when.

    Attributes:
        reason: For whoever reads the list of points: a case number, "keep until the audit is over".
        author: Who placed it.
        until: The last day (UTC) on which it holds; None for ever, until somebody lifts it.
    """

    reason: str = Field(min_length=1, max_length=500)
    author: str = Field(min_length=1, max_length=200)
    placed_at: AwareDatetime
    until: date | None = None

    @property
    def description(self) -> str:
        """Until when, why and by whose word, for messages and lists."""
        return f"{f'until {self.until}' if self.until else 'for ever'} ({self.reason}, placed by {self.author})"

    def is_active(self, now: datetime) -> bool:
        """True while the point must not go; the last day is one of UTC, whatever zone `now` is in."""
        return self.until is None or in_utc(now).date() <= self.until


class PastHold(Hold):
    """A hold that no longer stands, because somebody has lifted it or put another in its place."""

    ended_at: AwareDatetime
    ended_by: str = Field(min_length=1, max_length=200)

    @classmethod
    def of(cls, hold: Hold, by: str, at: datetime) -> PastHold:
        """The hold that `by` has ended."""
        return cls(**hold.model_dump(), ended_at=at, ended_by=by)
