"""Are the tenant's volumes attached, mounted and used as the register says: the same look as before every snapshot."""

from __future__ import annotations

import asyncio

from include.rules.points.parts import SnapshotRole
from include.rules.register.findings import Finding
from include.rules.register.tenants import Tenant
from perennial.backup.look import look_and_confirm
from perennial.hooks.freshness import Freshness
from perennial.settings import Settings

JUST_NOW = 60.0
"""Seconds in which a look that has found no difference counts as one of this run: the tenants of a host share it."""


async def check_volumes(tenant: Tenant, settings: Settings) -> tuple[Finding, ...]:
    """Look at both volumes of a tenant."""
    fresh = Freshness.within(JUST_NOW)
    looks = (look_and_confirm(settings, tenant, role, fresh) for role in SnapshotRole)
    return tuple(finding for look in await asyncio.gather(*looks) for finding in look.findings)
