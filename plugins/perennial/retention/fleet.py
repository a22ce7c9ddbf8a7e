"""Retention of the whole fleet: all of it is looked at first, because a guard counts all of it; then every tenant is
acted on by itself, some of them at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from include.rules.errors import ConfigurationError, PerennialError
from include.rules.register.register import Register
from include.rules.retention.explanations import explain
from include.rules.retention.fleet import FleetPlan, plan_fleet
from include.rules.retention.objections import Refusal
from include.rules.retention.plan import Action, Circumstances
from include.rules.retention.records import LastRun, ShownPlan
from include.rules.retention.reports import FleetReport, TenantReport
from include.rules.retention.timeline import Point
from perennial.hooks.vault.vault import Vault
from perennial.retention.inventory import holdings
from perennial.retention.last_run import last_retention, record_retention
from perennial.retention.tenant import Mandate, carry_out
from perennial.retention.troubles import trouble_of

log = logging.getLogger(__name__)

TENANTS_AT_ONCE = 16


@dataclass
class Outlook:
    """What retention knows of some tenants before it acts: little of each point, because a fleet has many.

    Attributes:
        plans: The plans and what speaks against them.
        reports: By tenant id, what there is to say so far.
    """

    plans: FleetPlan = field(default_factory=lambda: FleetPlan({}, ()))
    reports: dict[str, TenantReport] = field(default_factory=dict)


class Retention:
    """Retention for one moment.

    Args:
        owner: Deployment, DAG and run, as a lease names its holder.
        now: The moment of acting, in UTC.
    """

    def __init__(self, vault: Vault, register: Register, owner: str, now: datetime) -> None:
        self.vault, self.register, self.owner, self.now = vault, register, owner, now
        self.last: LastRun | None = None

    async def of_the_fleet(self, *, dry_run: bool = False) -> FleetReport:
        """Look at all tenants that have recovery points, and carry out what no guard stops.

        Args:
            dry_run: Report what would be done, and do nothing.

        Raises:
            PerennialError: when the vault as a whole cannot be read.
        """
        outlook = await self._outlook(await self.vault.tenants(), self.now)
        for refusal in outlook.plans.refusals:
            if refusal.tenant:
                outlook.reports[refusal.tenant].refused([refusal])
        if not dry_run:
            await self._for_each(outlook.plans.plans, lambda t: self._act(t, outlook), outlook.reports)
            await record_retention(self.vault.documents, self.now, self.owner)
        fleet = [refusal for refusal in outlook.plans.refusals if refusal.tenant is None]
        return FleetReport(outlook.reports, tuple(fleet))

    async def preview(self, tenant: str) -> tuple[ShownPlan, TenantReport]:
        """The plan of one tenant, as it is shown; it asks for approval where points would expire and nothing but an
        approval is missing.

        It asks without a guard's no, too: what stops the fleet's run is no matter of one tenant's plan.

        Raises:
            ConfigurationError: when neither the register nor the vault knows the tenant.
        """
        if not self.register.names(tenant) and not await self.vault.point_ids(tenant):
            raise ConfigurationError(
                f"There is no tenant {tenant!r}: the register does not name it, and the vault has no recovery point of "
                "it.",
                why="Nothing was looked at or done.",
                todo="Check the spelling.",
                known=", ".join(sorted({*self.register.tenants, *await self.vault.tenants()})) or "none",
            )
        outlook = await self._outlook([tenant], self.now)
        report, plan = outlook.reports[tenant], outlook.plans.plans.get(tenant)
        refusals = _own(outlook, tenant)
        report.refused(refusals)
        expires = plan is not None and bool(plan.to(Action.EXPIRE))
        asked = (expires or bool(refusals)) and all(refusal.approvable for refusal in refusals)
        fingerprint = plan.fingerprint if plan else ""
        return ShownPlan(tenant=tenant, owner=self.owner, now=self.now, fingerprint=fingerprint, asked=asked), report

    async def of_tenant(self, shown: ShownPlan) -> FleetReport:
        """Carry out the plan of one tenant as it was shown, and approved where that was asked for."""
        tenant = shown.tenant
        outlook = await self._outlook([tenant], shown.now)
        stopped = tuple(r for r in _own(outlook, tenant) if not (shown.asked and r.approvable))
        outlook.reports[tenant].refused(stopped)
        if tenant in outlook.plans.plans:
            mandate = self._mandate(outlook, tenant, stopped, shown.fingerprint, approved=shown.asked)
            await self._carry_out(mandate, outlook)
        return FleetReport(outlook.reports)

    async def _outlook(self, tenants: Iterable[str], planned_for: datetime) -> Outlook:
        self.last = await last_retention(self.vault.documents)
        if self.last and self.last.at > self.now:
            log.warning(
                "last-retention.json in the vault says that %s ran at %s, which is yet to come: a clock was ahead, or "
                "this one is behind. It is passed over, and the next run of the fleet replaces it. Check the clocks.",
                self.last.owner,
                self.last.at,
            )
        outlook = Outlook()
        points, circumstances = list[Point](), dict[str, Circumstances]()

        async def look(tenant: str) -> None:
            found = await holdings(self.vault, tenant, self.now, but_for=self.owner)
            for problem in found.problems:
                outlook.reports[tenant].not_done(problem, for_person=True)
            points.extend(found.points)
            circumstances[tenant] = found.circumstances

        await self._for_each(tenants, look, outlook.reports)
        outlook.plans = plan_fleet(
            points, self.register, planned_for, last_run=self._last_run, circumstances=circumstances
        )
        for tenant, plan in outlook.plans.plans.items():
            report = outlook.reports[tenant]
            report.explained, report.kept = explain(plan), len(plan.kept)
        return outlook

    @property
    def _last_run(self) -> datetime | None:
        """When retention last looked at the whole fleet; None where that is said to be yet to come."""
        return self.last.at if self.last and self.last.at <= self.now else None

    def _mandate(
        self, outlook: Outlook, tenant: str, stopped: tuple[Refusal, ...], fingerprint: str, *, approved: bool = False
    ) -> Mandate:
        plan, entry = outlook.plans.plans[tenant], self.register.tenants.get(tenant)
        return Mandate(plan, fingerprint, entry, stopped, self._last_run, approved)

    async def _act(self, tenant: str, outlook: Outlook) -> None:
        plan = outlook.plans.plans[tenant]
        await self._carry_out(self._mandate(outlook, tenant, outlook.plans.stopping(tenant), plan.fingerprint), outlook)

    async def _carry_out(self, mandate: Mandate, outlook: Outlook) -> None:
        await carry_out(self.vault, mandate, self.owner, self.now, outlook.reports[mandate.plan.tenant])

    async def _for_each(
        self, tenants: Iterable[str], work: Callable[[str], Awaitable[None]], reports: dict[str, TenantReport]
    ) -> None:
        """Work on some tenants at a time; one tenant's trouble goes into its report and stops no other."""
        gate = asyncio.Semaphore(TENANTS_AT_ONCE)

        async def one(tenant: str) -> None:
            report = reports.setdefault(tenant, TenantReport(tenant))
            async with gate:
                try:
                    await work(tenant)
                except PerennialError as error:
                    report.troubles.append(trouble_of(error, tenant))
                except Exception as error:
                    log.exception("This is an error in Perennial itself: please report it with these lines.")
                    report.not_done(f"Tenant {tenant}: {type(error).__name__}: {error}", for_person=True)

        await asyncio.gather(*(one(tenant) for tenant in tenants))


def _own(outlook: Outlook, tenant: str) -> tuple[Refusal, ...]:
    return tuple(refusal for refusal in outlook.plans.refusals if refusal.tenant == tenant)
