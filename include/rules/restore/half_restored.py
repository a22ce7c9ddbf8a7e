"""A tenant that a restore has left half restored, and the recovery points that may still be needed to mend it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

from include.rules.restore.record import RestoreRecord

LATEST = 20
"""How many of the tenant's restores are asked whether one has left it half restored."""


def half_restored_by(records: Iterable[RestoreRecord]) -> RestoreRecord | None:
    """The restore that has left the tenant half restored, of the records of all; None when none has.

    The last one that has changed anything counts: what came before it is overwritten, or has become its own to mend.
    """
    last = next(iter(_changed(records)), None)
    return last if last and last.half_restored else None


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
