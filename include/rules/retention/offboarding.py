"""The record that a tenant has left: until when its last recovery point is kept, by which policy, and which snapshots
hold its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from pydantic import AwareDatetime

from include.rules.points.moments import in_utc
from include.rules.register.tenants import RetentionPolicy, Strict, TenantId, VolumeId


class Offboarding(Strict):
    """The record that a tenant has left: without one, nothing of a tenant that is not in the register is deleted.

    Attributes:
        final_until: The last day (UTC) on which the tenant's last verified point is kept.
        author: Who decided it.
        retention: What is kept until that day: the policy of the plan that the tenant had.
        data_removed_on: The day (UTC) on which its folder and its database were removed from the servers; None while
            they are there, for all that is known.
        volumes: Those on which it has ever been, as far as is known; it outlives the last of its manifests.
    """

    tenant: TenantId
    left_at: AwareDatetime
    final_until: date
    author: str
    retention: RetentionPolicy
    data_removed_on: date | None = None
    volumes: tuple[VolumeId, ...] = ()

    @property
    def id(self) -> str:
        """A tenant has one record, so that it goes by the tenant's name."""
        return self.tenant

    def is_over(self, now: datetime) -> bool:
        """True once nothing but holds keeps the tenant's points; that day is one of UTC, in any zone of `now`."""
        return in_utc(now).date() > self.final_until

    def has_bytes_in(self, started_at: datetime) -> bool:
        """True when a snapshot of one of its volumes that was started then may hold its bytes: until the end of the day
        on which they were removed, because nobody has written down at which hour.
        """
        return self.data_removed_on is None or in_utc(started_at).date() <= self.data_removed_on

    def going_on_from(self, before: Offboarding, last_point: datetime | None) -> Offboarding:
        """The record with what an earlier one knows: the tenant's volumes and, unless it has come back since, when it
        left and when its data was removed.

        Args:
            last_point: The moment of its newest recovery point; None when it has none any more.
        """
        record = self.on_volumes(before.volumes)
        if last_point and last_point > before.left_at:
            return record
        removed = self.data_removed_on or before.data_removed_on
        return record.model_copy(update={"left_at": before.left_at, "data_removed_on": removed})

    def on_volumes(self, volumes: Iterable[str]) -> Offboarding:
        """The record that knows these volumes, too."""
        return self.model_copy(update={"volumes": tuple(sorted({*self.volumes, *volumes}))})
