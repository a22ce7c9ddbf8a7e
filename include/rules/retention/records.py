"""What retention remembers in the vault between two steps and two days."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import AwareDatetime

from include.rules.points.requests import APPROVE_WITHIN
from include.rules.register.tenants import Strict, TenantId

VALID_FOR = APPROVE_WITHIN + timedelta(days=1)
"""How old a plan may be when it is carried out: an approval of the last minute, and a run that is cleared after it."""

LONGEST_RUN = timedelta(days=1)
"""Longer than any run of retention is at work between the moment for which it plans and its end."""


class LastRun(Strict):
    """The last run that looked at the whole fleet to its end: the guards count the days since.

    Attributes:
        at: The moment (UTC) for which it planned.
        owner: Deployment, DAG and run.
    """

    version: int = 1
    at: AwareDatetime
    owner: str

    def advanced_to(self, at: datetime, owner: str) -> LastRun:
        """The last run after one for the moment `at`; a run that was late never takes the clock back.

        But for a moment that is yet to come: whoever wrote that had a clock that was ahead, and it would stand until
        then.
        """
        late = at <= self.at <= at + LONGEST_RUN
        return self if late else LastRun(at=at, owner=owner)


class ShownPlan(Strict):
    """The plan of one tenant as it was shown to a person: what may go once it is approved.

    Attributes:
        owner: Deployment, DAG and run that showed it; nobody else may carry it out.
        now: The moment (UTC) for which it was made; it is made again for the same moment.
        fingerprint: The hash of what goes; empty where there was no plan, for want of points or of an entry.
        asked: True when the person's approval was asked for.
        used_at: When points were marked by it; None before. What was taken back since is not to go a second time.
    """

    version: int = 1
    tenant: TenantId
    owner: str
    now: AwareDatetime
    fingerprint: str
    asked: bool
    used_at: AwareDatetime | None = None

    @property
    def id(self) -> str:
        """A tenant has one plan at a time, so that it goes by the tenant's name."""
        return self.tenant

    def used(self, now: datetime) -> ShownPlan:
        """Points were marked by it."""
        return self.model_copy(update={"used_at": now})

    def why_void(self, now: datetime) -> str:
        """Why it may not be carried out any more, to follow the plan's name; empty while it may."""
        if self.used_at:
            return f"was carried out on {self.used_at:%Y-%m-%d %H:%MZ} already"
        if now - self.now > VALID_FOR:
            return f"is of {self.now:%Y-%m-%d %H:%MZ}, longer ago than an approval is good for"
        return ""
