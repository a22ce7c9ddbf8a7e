"""The record that a tenant has left: until when its last recovery point is kept, and by which policy."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import AwareDatetime

from include.rules.points.moments import in_utc
from include.rules.register.tenants import RetentionPolicy, Strict, TenantId


class Offboarding(Strict):
    """The record that a tenant has left: without one, nothing of a tenant that is not in the register is deleted.

    Attributes:
        final_until: The last day (UTC) on which the tenant's last verified point is kept.
        author: Who decided it.
        retention: What is kept until that day: the policy of the plan that the tenant had.
    """

    tenant: TenantId
    left_at: AwareDatetime
    final_until: date
    author: str
    retention: RetentionPolicy

    @property
    def id(self) -> str:
        """A tenant has one record, so that it goes by the tenant's name."""
        return self.tenant

    def is_over(self, now: datetime) -> bool:
        """True once nothing but holds keeps the tenant's points; that day is one of UTC, in any zone of `now`."""
        return in_utc(now).date() > self.final_until
