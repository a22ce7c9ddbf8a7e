"""Who is due: the tenants of a register that a scheduled run must back up."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from itertools import zip_longest

from include.rules.points.manifest import Manifest
from include.rules.points.requests import SLOT_FORMATS, BackupRequest, Kind, daily_partition
from include.rules.points.transitions import State
from include.rules.register.register import Register
from include.rules.register.tenants import Tenant


def tenants_due_daily(register: Register) -> tuple[str, ...]:
    """Ids of the tenants that get a daily recovery point: all but the suspended (every plan includes the daily one).

    In the order in which they are to be backed up: each server in its turn, so that all have work from the first to the
    last, and on a server those of one volume one after the other, so that they share its snapshots.
    """
    by_server: dict[str, list[Tenant]] = {}
    for tenant in register.tenants.values():
        if not tenant.suspended:
            by_server.setdefault(tenant.database.connection, []).append(tenant)
    queues = (sorted(by_server[server], key=_place) for server in sorted(by_server))
    return tuple(tenant.id for turn in zip_longest(*queues) for tenant in turn if tenant)


def _place(tenant: Tenant) -> tuple[str, ...]:
    return tenant.database.volume, tenant.web.volume, tenant.id


def daily_partitions(register: Register, day: date) -> tuple[str, ...]:
    """One partition key for every tenant due on `day` (UTC)."""
    return tuple(daily_partition(tenant, day) for tenant in tenants_due_daily(register))


def daily_point_id(tenant: str, day: date) -> str:
    """Id of a tenant's daily recovery point of `day`: it is asked for by the thousand, and nothing is parsed for it."""
    return BackupRequest(tenant, Kind.DAILY, day.strftime(SLOT_FORMATS[Kind.DAILY])).recovery_point_id


def still_due(register: Register, tenants: Iterable[str]) -> tuple[str, ...]:
    """Those of the tenants that are to have a point all the same, in their order: all but the suspended and those that
    were taken out. One whose entry can no longer be used has been neither.
    """
    entries = ((tenant, register.tenants.get(tenant)) for tenant in tenants)
    return tuple(tenant for tenant, entry in entries if (not entry.suspended if entry else register.mentions(tenant)))


def why_unfinished(manifest: Manifest | None) -> str:
    """What is known of a daily recovery point that is not verified; empty of one that is.

    Args:
        manifest: None where the vault has none, or none that can be read.
    """
    if manifest is None:
        return "no readable recovery point"
    if manifest.state is State.VERIFIED:
        return ""
    return f"{manifest.state}: {manifest.failure}" if manifest.failure else str(manifest.state)
