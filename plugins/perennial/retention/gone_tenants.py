"""Tells where the bytes of tenants that have left still are."""

from __future__ import annotations

from datetime import date

from include.rules.register.register import Register
from include.rules.retention.fleet import FleetPlan
from include.rules.retention.shared import bytes_left_note
from perennial.hooks.asynchronous import in_order
from perennial.hooks.vault.vault import READS_AT_ONCE
from perennial.retention.shared_looks import SharedLooks


async def notes_on_gone_tenants(looks: SharedLooks, register: Register, plans: FleetPlan) -> list[str]:
    """A line for each tenant that is recorded as gone and whose bytes are in shared snapshots.

    Args:
        looks: Those of a run that has looked at the whole vault.
        plans: The plans of all tenants, which know how long the points are kept that use them.
    """

    def kept_until(tenant: str, point: str) -> date | None:
        plan = plans.plans.get(tenant)
        verdict = plan.verdicts.get(point) if plan else None
        return verdict.until if verdict else None

    entries, notes = looks.latest.entries.values(), list[str]()
    with_bytes = {tenant for entry in entries for tenant in entry.tenants}
    gone = [tenant for tenant in await looks.vault.offboarded_tenants() if tenant in with_bytes]
    offboarded = looks.vault.offboarded
    async for tenant, record in in_order(gone, lambda name: offboarded.get(name, name), at_once=READS_AT_ONCE):
        if record and not register.mentions(tenant):
            notes.append(bytes_left_note(record.value, (e for e in entries if tenant in e.tenants), kept_until))
    return notes
