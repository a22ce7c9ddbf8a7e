"""What retention remembers in the vault between two steps and two days."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime

from include.backups.tenants import Strict, TenantId


class LastRun(Strict):
    """The last run that looked at the whole fleet to its end: the guards count the days since.

    Attributes:
        at: The moment (UTC) for which it planned.
        owner: Deployment, DAG and run.
    """

    version: int = 1
    at: AwareDatetime
    owner: str


class ShownPlan(Strict):
    """The plan of one tenant as it was shown to a person: what may go once it is approved.

    Attributes:
        owner: Deployment, DAG and run that showed it; nobody else may carry it out.
        now: The moment (UTC) for which it was made; it is made again for the same moment.
        fingerprint: The hash of what goes; empty where there was no plan, for want of points or of an entry.
        asked: True when the person's approval was asked for.
    """

    version: int = 1
    tenant: TenantId
    owner: str
    now: AwareDatetime
    fingerprint: str
    asked: bool

    @property
    def id(self) -> str:
        """A tenant has one plan at a time, so that it goes by the tenant's name."""
        return self.tenant


def later(standing: LastRun | None, at: datetime, owner: str) -> LastRun:
    """The last run after one for the moment `at`; a run that was late never takes the clock back."""
    return standing if standing and standing.at >= at else LastRun(at=at, owner=owner)
