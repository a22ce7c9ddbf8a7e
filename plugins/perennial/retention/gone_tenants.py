"""Tells where the bytes of tenants that have left still are."""

from __future__ import annotations

from datetime import date

from include.rules.errors import PartError
from include.rules.register.register import Register
from include.rules.retention.fleet import FleetPlan
from include.rules.retention.offboarding import Offboarding
from include.rules.retention.reports import SharedReport
from include.rules.retention.shared import bytes_left_note
from perennial.hooks.asynchronous import in_order
from perennial.hooks.aws.errors import AwsRejectedError
from perennial.hooks.vault.collection import Versioned
from perennial.hooks.vault.vault import READS_AT_ONCE
from perennial.retention.shared_looks import SharedLooks
from perennial.retention.troubles import trouble_of


async def note_gone_tenants(looks: SharedLooks, register: Register, plans: FleetPlan, report: SharedReport) -> None:
    """Report each tenant that is recorded as gone and whose bytes are in shared snapshots, in a line for each.

    Args:
        looks: Those of a run that has looked at the whole vault.
        plans: The plans of all tenants, which know how long the points are kept that use them.

    Raises:
        UnavailableError: when the vault does not answer.
    """

    def kept_until(tenant: str, point: str) -> date | None:
        plan = plans.plans.get(tenant)
        verdict = plan.verdicts.get(point) if plan else None
        return verdict.until if verdict else None

    async def read(tenant: str) -> Versioned[Offboarding] | None:
        try:
            return await looks.vault.offboarded.get_in_place(tenant, tenant)
        except (PartError, AwsRejectedError) as error:
            report.troubles.append(trouble_of(error, f"Tenant {tenant}, which may have left"))
            return None

    entries = looks.latest.entries.values()
    with_bytes = {tenant for entry in entries for tenant in entry.tenants}
    gone = [tenant for tenant in await looks.vault.offboarded_tenants() if tenant in with_bytes]
    async for tenant, record in in_order(gone, read, at_once=READS_AT_ONCE):
        if record and not register.mentions(tenant):
            report.notes.append(bytes_left_note(record.value, (e for e in entries if tenant in e.tenants), kept_until))
