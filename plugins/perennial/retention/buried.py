"""Takes recovery points that were deleted off lists to which somebody has brought them back, for instance with an
earlier version of the list: nobody else would ever take them off, and they would keep the snapshots.
"""

from __future__ import annotations

from collections.abc import Iterable

from include.rules.errors import LeaseBusyError
from include.rules.points.leases import Purpose
from include.rules.points.parts import ClaimName
from include.rules.points.transitions import State
from include.rules.retention.reports import TenantReport
from include.rules.retention.shared import has_settled, place_of
from perennial.hooks.vault import tenant_lease
from perennial.hooks.vault.tenant_lease import TenantLease
from perennial.hooks.vault.vault import Vault
from perennial.retention.each_tenant import for_each_tenant
from perennial.retention.leaving import leave
from perennial.retention.shared_looks import SharedLooks


async def is_buried(vault: Vault, tenant: str, point_id: str) -> bool:
    """Whether the vault has no manifest of the point, and a tombstone that says that it was deleted.

    Raises:
        PartError: when one of the two cannot be read.
    """
    if await vault.documents.get(vault.points.key(tenant, point_id)):
        return False
    version = await vault.tombstones.get(tenant, point_id)
    tombstone = version.value if version else None
    return tombstone is not None and (tombstone.tenant, tombstone.id, tombstone.state) == (
        tenant,
        point_id,
        State.EXPIRED,
    )


async def leave_lists_of_buried(looks: SharedLooks, owner: str, reports: dict[str, TenantReport]) -> None:
    """Take points that were deleted off all lists that have not changed for a while.

    Each under its tenant's lease: nobody makes a point of the same name meanwhile. Guards stop nothing of it, because
    the points have gone already.

    Args:
        looks: Has looked at all tenants, and takes note of the lists on which nobody is any more.
    """

    async def work(tenant: str) -> None:
        try:
            lease = await tenant_lease.acquire(looks.vault, tenant, owner, Purpose.RETENTION)
        except LeaseBusyError as error:
            reports[tenant].not_done(error, needs_operator=False)
            return
        async with tenant_lease.released_after(lease), tenant_lease.renewing(lease):
            for point_id, names in looks.buried[tenant].items():
                if await is_buried(looks.vault, tenant, point_id):
                    reports[tenant].swept += await _leave(lease, point_id, names, looks)

    await for_each_tenant(looks.buried, work, reports)


async def _leave(lease: TenantLease, point_id: str, names: Iterable[ClaimName], looks: SharedLooks) -> list[str]:
    """What was left, in words."""
    left = []
    for name in names:
        version = await looks.vault.shared_snapshot(*name)
        if version is None or not version.value.user(lease.tenant, point_id):
            continue
        if not has_settled(version.written_at, version.seen_at):
            continue
        if await leave(lease, point_id, name):
            looks.emptied.add(name)
        left.append(place_of(point_id, name))
    return left
