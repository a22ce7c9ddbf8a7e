"""What retention remembers in the vault between two steps and two days."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime, Field

from include.rules.points.approvals import APPROVE_WITHIN, seal_of, why_not_approved
from include.rules.register.tenants import RetentionPolicy, Strict, TenantId

VALID_FOR = APPROVE_WITHIN + timedelta(days=1)
"""How old a plan may be when it is carried out: an approval of the last minute, and a run that is cleared after it."""

MOST_KEPT = 5
"""Plans before the present one that a shown plan remembers, to say in what they differ."""

LONGEST_RUN = timedelta(days=1)
"""Longer than any run of retention is at work between the moment for which it plans and its end."""

RULES_VERSION = 1
"""Goes up with every change of the rules after which the same policy may keep fewer points (tests/unit/retention has
what they keep today): the first run afterwards then asks, as after a changed policy.
"""


class AppliedPolicy(Strict):
    """By what retention last acted on a tenant, unstopped or approved: MAX_DELETE asks about what has changed since.

    Not by what it planned, nor by what it was stopped from doing: an unanswered question is asked again the next day.

    Attributes:
        policy: What the tenant's plan said then.
        rules: The `RULES_VERSION` of then.
        at: When (UTC) retention last marked or deleted something, or accepted this policy.
        owner: Deployment, DAG and run.
    """

    version: Literal[1] = 1
    tenant: TenantId
    policy: RetentionPolicy
    rules: int
    at: AwareDatetime
    owner: str

    @property
    def id(self) -> str:
        """A tenant has one record, so that it goes by the tenant's name."""
        return self.tenant

    def covers(self, policy: RetentionPolicy) -> bool:
        """True when the same is to be kept as then, so that only time and newer points make anything superfluous."""
        return self.rules == RULES_VERSION and self.policy == policy


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
        goes: What goes, a line for each point; empty in plans of before.
        lost: Ids of the points that had lost parts.
        earlier: What went by the plans that the same run has shown before, by their seals.
        used_at: When points were marked by it, or by an earlier one of the same run; None before. What was taken back
            since is not to go a second time.
    """

    version: int = 1
    tenant: TenantId
    owner: str
    now: AwareDatetime
    fingerprint: str
    asked: bool
    goes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    earlier: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    used_at: AwareDatetime | None = None

    @property
    def id(self) -> str:
        """A tenant has one plan at a time, so that it goes by the tenant's name."""
        return self.tenant

    def after(self, before: ShownPlan | None) -> ShownPlan:
        """This plan in the place of another one; of the same run's it remembers what went, and that it was used."""
        if before is None or before.owner != self.owner:
            return self
        earlier = {**before.earlier, seal_of(before.fingerprint): before.goes}
        return self.model_copy(
            update={"earlier": dict(list(earlier.items())[-MOST_KEPT:]), "used_at": self.used_at or before.used_at}
        )

    def why_not_approved(self, approved: str) -> str:
        """Why it may not be carried out by this approval, to follow the plan's name; empty while it may."""
        shown = self.earlier.get(approved)
        changes = []
        if shown is not None:
            for word, names in (("no longer", set(shown) - set(self.goes)), ("now also", set(self.goes) - set(shown))):
                changes += [f"{word}: {', '.join(sorted(names))}"] if names else []
        return why_not_approved(approved, self.fingerprint, asks=self.asked, changes=changes)

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
