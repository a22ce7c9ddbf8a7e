"""A tenant that a restore has left half restored, and the recovery points that may still be needed to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import takewhile

from include.rules.register.tenants import Tenant
from include.rules.restore.record import COPY_FILES, RESTORE_DATABASE, RestoreRecord

CLOCKS_DIFFER = timedelta(minutes=5)
"""By how much at most the store's clock, which says when a record was written, differs from that of a restore."""


def is_settled(records: Iterable[RestoreRecord], written_at: datetime) -> bool:
    """True when no record that was written then, or earlier, bears on whether the tenant is half restored: a restore
    that was opened later has ended whole.

    Args:
        records: Of restores of the tenant that were written later.
        written_at: By the store's clock.
    """
    whole = (record.opened_at for record in _changed(records) if record.opened_at and not record.half_restored)
    return any(opened_at - CLOCKS_DIFFER > written_at for opened_at in whole)


def half_restored_by(records: Iterable[RestoreRecord]) -> RestoreRecord | None:
    """The restore that has left the tenant half restored, of the records of all; None when none has.

    The last one that has changed anything counts: what came before it is overwritten, or has become its own to mend.
    """
    last = next(iter(_changed(records)), None)
    return last if last and last.half_restored else None


def all_in_doubt(tenant: Tenant) -> dict[str, str]:
    """What a restore may have left half restored of which nobody knows anything: all of the tenant's own, by step."""
    return {COPY_FILES: tenant.web.path, RESTORE_DATABASE: f"Database {tenant.database.name}"}


def points_needed_by_half_restored(tenant: str, records: Iterable[RestoreRecord]) -> dict[str, str]:
    """The recovery points of a half restored tenant from which it was being restored, and its safety points.

    Those of earlier restores too that were not brought to their end: the last one's safety point shows only what they
    have left.

    Returns:
        The restore's id by the recovery point's id; empty when the tenant is not half restored.
    """
    needed: dict[str, str] = {}
    for record in takewhile(lambda record: record.half_restored, _changed(records)):
        source = record.plan.recovery_point if record.plan.source == tenant else None
        for point_id in (source, record.safety_point):
            if point_id:
                needed.setdefault(point_id, record.id)
    return needed


def _changed(records: Iterable[RestoreRecord]) -> list[RestoreRecord]:
    """The restores that have changed the site, or have taken on what another one has left; the last one first."""
    changed = [r for r in records if r.opened_at and (r.has_changed_the_site or r.inherited)]
    return sorted(changed, key=lambda r: r.opened_at or r.planned_at, reverse=True)
