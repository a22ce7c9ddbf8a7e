"""Who is due: the tenants of a register that a scheduled run must back up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from itertools import zip_longest

from include.rules.points.manifest import Manifest
from include.rules.points.requests import BackupRequest, daily_partition
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
    """Id of the tenant's daily recovery point of `day`."""
    return BackupRequest.parse(daily_partition(tenant, day)).recovery_point_id


def without_verified_point(register: Register, day: date, manifests: Mapping[str, Manifest | None]) -> dict[str, str]:
    """Tenants due on `day` whose daily recovery point is not verified, each with what is known of it.

    Args:
        manifests: By recovery point id; None or absent where the vault has none.
    """
    open_cases = {}
    for tenant in tenants_due_daily(register):
        manifest = manifests.get(daily_point_id(tenant, day))
        if manifest is None:
            open_cases[tenant] = "no readable recovery point"
        elif manifest.state is not State.VERIFIED:
            open_cases[tenant] = f"{manifest.state}: {manifest.failure}" if manifest.failure else str(manifest.state)
    return open_cases
