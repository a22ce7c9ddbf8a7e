"""The look before a shared snapshot: one tenant's own, and with what it has shown all other tenants of the volume."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

from include.rules.errors import PerennialError
from include.rules.points.looks import TenantLook, VolumeLook, fingerprint_of
from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotRole, host_of
from include.rules.points.requests import Kind
from include.rules.register.findings import Weight, of_weight
from include.rules.register.tenants import Tenant
from perennial.backup.look import grounds_on, look_before_snapshot, look_from_memory
from perennial.hooks.aws.host_look import FRESH_SECONDS
from perennial.hooks.register import find_register
from perennial.settings import Settings

AT_ONCE = 50
"""Tenants that are judged before other steps of the triggerer have their turn."""


async def look_at_all(
    settings: Settings, manifest: Manifest, role: SnapshotRole, *, anew: bool = False
) -> dict[str, TenantLook]:
    """Look at a volume of which a snapshot is about to be asked for, for all of its tenants.

    The tenant's own look asks the host for what the register says of all of them; the others are judged by that answer
    alone, be it that host or server say nothing: whoever it does not show as the register says looks itself, and is
    asked for no other's sake.

    Args:
        anew: Whether nothing that was seen of the tenant before counts.

    Returns:
        The looks by fingerprint of the host entry, as the claim has them; the tenant's own is among them.

    Raises:
        PartError, RefusedError: as of `look_before_snapshot`, about this tenant.
    """
    own = await look_before_snapshot(settings, manifest, role, anew=anew)
    host, only_for = host_of(manifest.source, role), manifest.id if manifest.kind is Kind.SAFETY else ""
    looks = {fingerprint_of(host): TenantLook(tenant=manifest.tenant, look=own, only_for=only_for)}
    since, now = asyncio.get_running_loop().time() - FRESH_SECONDS, datetime.now(UTC)
    grounds = await grounds_on(settings, manifest.volume_of(role))
    for number, (tenant, other) in enumerate(await tenants_on(settings, manifest.volume_of(role))):
        if number % AT_ONCE == AT_ONCE - 1:
            await asyncio.sleep(0)
        half = host_of(tenant, other)
        # The tenant's own entry is its own, by whatever name the register has it by now.
        if half == host or (anew and tenant.id == manifest.tenant):
            continue
        seen = look_from_memory(settings, tenant, other, grounds, since=since)
        if seen and not of_weight(Weight.DIFFERENCE, seen.findings):
            look = VolumeLook.of(seen.findings, now, seen.folder)
            looks[fingerprint_of(half)] = TenantLook(tenant=tenant.id, look=look)
    return looks


async def tenants_on(settings: Settings, volume: str) -> list[tuple[Tenant, SnapshotRole]]:
    """The tenants that the register has on a volume, and with which half; none while it cannot be read."""
    try:
        register = await find_register(settings)
    except PerennialError:
        return []  # a register that is being written keeps nobody from a backup
    tenants = register.tenants.values() if register else ()
    return [(tenant, role) for tenant in tenants for role in SnapshotRole if host_of(tenant, role).volume == volume]


def common_tags(tenants: Iterable[Tenant]) -> dict[str, str]:
    """The billing tags that all tenants of a volume have in common: a shared snapshot is not one tenant's cost."""
    tags = [set(tenant.tags.items()) for tenant in tenants]
    return dict(sorted(set[tuple[str, str]].intersection(*tags))) if tags else {}
