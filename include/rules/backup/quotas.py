"""How many backups by hand a plan allows in one calendar month (UTC)."""

from __future__ import annotations

from collections.abc import Iterable

from include.rules.errors import RefusedError
from include.rules.points.manifest import Manifest
from include.rules.points.requests import BackupRequest, Kind
from include.rules.points.transitions import State
from include.rules.register.tenants import Tenant


def month_prefix(request: BackupRequest) -> str:
    """What the ids of the tenant's manual recovery points of the request's month begin with."""
    return f"{request.tenant}-{Kind.MANUAL}-{request.slot[:6]}"


def check_manual_quota(request: BackupRequest, tenant: Tenant, of_this_month: Iterable[Manifest]) -> None:
    """Refuse a manual backup beyond the plan's number; failed ones and the request's own point do not count.

    Raises:
        RefusedError: when the month's number is used up.
    """
    if request.kind is not Kind.MANUAL:
        return
    counted = [m for m in of_this_month if m.state is not State.FAILED and m.id != request.recovery_point_id]
    allowed = tenant.plan.manual_backups_per_month
    if len(counted) >= allowed:
        raise RefusedError(
            f"Tenant {tenant.id} has used its {allowed} manual backups of {request.slot[:4]}-{request.slot[4:6]}.",
            why=f"The plan {tenant.plan.name} allows no more this month; nothing was done.",
            todo="Wait for the daily backup, or raise manual_backups_per_month of the plan in plans.yaml.",
        )
