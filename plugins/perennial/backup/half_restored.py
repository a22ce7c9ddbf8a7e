"""Whether a restore has left a tenant half restored, as the backup that is opened has to say of its point."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

from include.rules.restore.half_restored import half_restored_by
from perennial.hooks.asynchronous import LoopLocks, PerLoop
from perennial.hooks.vault.restore_records import read_restores
from perennial.hooks.vault.tenant_lease import TenantLease
from perennial.hooks.vault.vault import Vault

log = logging.getLogger(__name__)

LISTED_SECONDS = 300
"""How long a listing of all tenants that have ever been restored serves those whose lease has just been created."""

_asking = LoopLocks()
_listed: PerLoop[dict[str, tuple[float, Collection[str]]]] = PerLoop(dict)


async def find_half_restored(lease: TenantLease) -> str | None:
    """The restore that has left the lease's tenant half restored, or may have, because its record cannot be read; None
    when none has.

    Records are not looked for where none can say so: no restore has taken the lease since a backup has looked, or no
    one at all has taken it before and no record of a restore is there either.
    """
    vault, tenant = lease.vault, lease.tenant
    known = await vault.known_lease(tenant)
    if known and known.found_whole:
        return None
    if lease.token > 1 or tenant in await _restored_tenants(vault):
        restores = await read_restores(vault, tenant)
        for error in restores.unread.values():
            log.warning("%s", error)
        restore = half_restored_by(restores.records)
        if restore or restores.unread:
            return restore.id if restore else max(restores.unread)
    vault.learn_of_lease(tenant, lease.token, found_whole=True)
    return None


async def _restored_tenants(vault: Vault) -> Collection[str]:
    """Ids of all tenants of which there are records of restores, some minutes old at most."""
    place, now = vault.documents.place_of(""), asyncio.get_running_loop().time()
    async with _asking.of(place):
        listed_at, tenants = _listed.get().get(place, (0.0, ()))
        if listed_at == 0.0 or now - listed_at > LISTED_SECONDS:
            tenants = frozenset(await vault.documents.folders("restores/"))
            _listed.get()[place] = now, tenants
        return tenants
