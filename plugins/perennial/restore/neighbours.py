"""Who else lives on the volume of a web snapshot, as far as the register and the vault know."""

from __future__ import annotations

from contextlib import suppress

from include.rules.errors import PartError
from include.rules.points.manifest import Manifest
from include.rules.points.shared_snapshots import SnapshotUser
from include.rules.register.register import Register
from include.rules.register.tenants import Tenant
from perennial.hooks.asynchronous import in_order
from perennial.hooks.vault.vault import READS_AT_ONCE, Vault


async def known_tenants(vault: Vault, point: Manifest, register: Register | None) -> list[Tenant]:
    """The register's tenants, and those whose points share the snapshot, as they were when it was taken: some have left
    or moved since, and the vault alone has to be enough.
    """

    async def source_of(user: SnapshotUser) -> Tenant | None:
        with suppress(PartError):  # what nobody can read says nothing of where it was
            version = await vault.points.get_in_place(user.tenant, user.point)
            return version.value.source if version else None
        return None

    others = {user.tenant: user for user in await _users(vault, point) if user.tenant != point.tenant}
    found = [one async for _, one in in_order(others.values(), source_of, at_once=READS_AT_ONCE)]
    return [*(register.everyone.values() if register else ()), *filter(None, found)]


async def _users(vault: Vault, point: Manifest) -> tuple[SnapshotUser, ...]:
    """Whose points share the web snapshot."""
    part = point.parts.web_snapshot
    if part and part.claim:
        with suppress(PartError):
            shared = await vault.shared_snapshot(part.volume_id, part.claim)
            return shared.value.users if shared else ()
    return ()
