"""Who is due: the tenants of a register that a scheduled run must back up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from include.rules.points.manifest import Manifest
from include.rules.points.requests import BackupRequest, daily_partition
from include.rules.points.transitions import State
from include.rules.register.register import Register
from include.rules.register.tenants import Tenant


def tenants_due_daily(register: Register) -> tuple[str, ...]:
    """Ids of the tenants that get a daily recovery point: all but the suspended (every plan includes the daily one).

    Those that share a server and volumes stand together: `join_keys` lets them run so, on all servers at once.
    """
    due = (tenant for tenant in register.tenants.values() if not tenant.suspended)
    return tuple(tenant.id for tenant in sorted(due, key=_place))


def _place(tenant: Tenant) -> tuple[str, ...]:
    return tenant.database.connection, tenant.database.volume, tenant.web.volume, tenant.id


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
