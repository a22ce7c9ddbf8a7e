"""Retention of the whole fleet: all of it is looked at first, because a guard counts all of it; then every tenant is
acted on by itself, some of them at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from include.rules.errors import ConfigurationError, UnavailableError
from include.rules.register.register import Register
from include.rules.retention.fleet import FleetPlan
from include.rules.retention.guards import unapproved
from include.rules.retention.objections import Objection
from include.rules.retention.plan import Action, Circumstances
from include.rules.retention.records import ShownPlan
from include.rules.retention.reports import FleetReport, SharedReport, TenantReport
from include.rules.retention.timeline import TimelinePoint
from perennial.hooks.asynchronous import setting_aside
from perennial.hooks.vault.vault import Vault
from perennial.retention.buried import leave_lists_of_buried
from perennial.retention.dissolving import Dissolution
from perennial.retention.each_tenant import for_each_tenant
from perennial.retention.gone_tenants import note_gone_tenants
from perennial.retention.inventory import take_inventory
from perennial.retention.known_points import KnownPoint
from perennial.retention.last_run import last_retention, record_retention
from perennial.retention.planning import plan_away_from_loop
from perennial.retention.shared_looks import SharedLooks
from perennial.retention.tenant import JudgedPlan, carry_out
from perennial.retention.troubles import nothing_seen_error, refuse_blind_run

log = logging.getLogger(__name__)

LOOKS_AT_ONCE = 8
"""Tenants whose manifests are all in memory at the same time: with 16 of 60 points each, a collection took 54 ms."""
SET_ASIDE_POINTS = 1_000
"""After how many points what is known of them is set aside: of 60,000, each collection of cyclic garbage would stop the
event loop for 170 ms until the run has ended.
"""


@dataclass(frozen=True)
class FleetReview:
    """What retention knows of some tenants before it acts: little of each point, because a fleet has many.

    Attributes:
        plans: The plans and what speaks against them.
        reports: By tenant id, what there is to say so far; each grows as its tenant is acted on.
        last_run: When (UTC) retention last looked at the whole fleet; None before the first time, and where that is
            said to be yet to come.
        known: By tenant id, the points that need not be read again as long as they do not change.
    """

    plans: FleetPlan
    reports: dict[str, TenantReport]
    last_run: datetime | None
    known: dict[str, Mapping[str, KnownPoint]]


class Retention:
    """Retention for one moment.

    Args:
        owner: Deployment, DAG and run, as a lease names its holder.
        now: The moment of acting, in UTC.

    Attributes:
        reports: By tenant id, what has become of the tenants so far, also when the run comes to no end.
    """

    def __init__(self, vault: Vault, register: Register, owner: str, now: datetime) -> None:
        self.vault, self.register, self.owner, self.now = vault, register, owner, now
        self.reports = dict[str, TenantReport]()
        self._looks = SharedLooks(vault)
        self._dissolution = Dissolution(self._looks, register)

    async def run_for_fleet(self, *, dry_run: bool = False) -> FleetReport:
        """Look at all tenants that have recovery points, and carry out what no guard stops.

        Args:
            dry_run: Report what would be done, and do nothing.

        Raises:
            PerennialError: when the vault or its snapshots cannot be read as a whole; `reports` and `shared` then say
                what was done.
        """
        try:
            await self._looks.look_at_every_snapshot()
        except UnavailableError as error:
            raise nothing_seen_error(error) from error
        await self._looks.look_at_every_document()
        review = await self._review(sorted({*await self.vault.tenants(), *self._looks.latest.tenants}), self.now)
        self._dissolution.report_problems()
        refuse_blind_run(review.reports, review.known, dry_run=dry_run)
        for tenant, report in review.reports.items():
            report.stopped_by(review.plans.objections_to(tenant))
        if not dry_run:
            await for_each_tenant(review.plans.plans, lambda tenant: self._act(tenant, review), review.reports)
            await leave_lists_of_buried(self._looks, self.owner, review.reports)
            await self._dissolution.delete_unused()
            await self._dissolution.look_for_strays()
            await record_retention(self.vault.documents, self.now, self.owner)
        await note_gone_tenants(self._looks, self.register, review.plans, self.shared, dry_run=dry_run)
        return FleetReport(review.reports, review.plans.objections_to(None), self.shared)

    @property
    def shared(self) -> SharedReport:
        """What has become of shared snapshots so far."""
        return self._dissolution.report

    async def preview(self, tenant: str, *, dry_run: bool = False) -> tuple[ShownPlan, TenantReport]:
        """The plan of one tenant, as it is shown; it asks for approval where points would expire and nothing but an
        approval is missing.

        It asks without a guard's no, too: what stops the fleet's run is no matter of one tenant's plan.

        Raises:
            ConfigurationError: when neither the register nor the vault knows the tenant.
            UnavailableError: when the tenant cannot be looked at by a dry run.
        """
        if not self.register.mentions(tenant) and not await self.vault.point_ids(tenant):
            raise ConfigurationError(
                f"There is no tenant {tenant!r}: the register does not name it, and the vault has no recovery point of "
                "it.",
                why="Nothing was looked at or done.",
                todo="Check the spelling.",
                known=", ".join(sorted({*self.register.tenants, *await self.vault.tenants()})) or "none",
            )
        review = await self._review([tenant], self.now)
        if dry_run:
            refuse_blind_run(review.reports, review.known, dry_run=True)
        report, plan = review.reports[tenant], review.plans.plans.get(tenant)
        objections = review.plans.objections_to(tenant)
        report.stopped_by(objections)
        expires = plan is not None and bool(plan.to(Action.EXPIRE))
        needs_approval = (expires or bool(objections)) and all(objection.approvable for objection in objections)
        fingerprint = plan.fingerprint if plan else ""
        shown = ShownPlan(
            tenant=tenant,
            owner=self.owner,
            now=self.now,
            fingerprint=fingerprint,
            asked=needs_approval,
            goes=plan.losses if plan else (),
            lost=tuple(sorted(plan.circumstances.lost)) if plan else (),
        )
        return shown, report

    async def run_for_tenant(self, shown: ShownPlan) -> FleetReport:
        """Carry out the plan of one tenant as it was shown, and approved where that was asked for."""
        tenant = shown.tenant
        review = await self._review([tenant], shown.now)
        stopping, plan = review.plans.objections_to(tenant), review.plans.plans.get(tenant)
        if shown.asked and plan:
            stopping = unapproved(stopping, plan, shown.lost)
        review.reports[tenant].stopped_by(stopping)
        if plan:
            judged = self._judged(review, tenant, stopping, shown.fingerprint)
            await self._carry_out(replace(judged, approved=shown.asked, seen_lost=shown.lost), review)
        self._dissolution.leave_to_fleet()
        self._dissolution.report_problems()
        return FleetReport(review.reports, shared=self.shared)

    async def _review(self, tenants: Iterable[str], planned_for: datetime) -> FleetReview:
        last_run = await self._last_run()
        self.reports = reports = dict[str, TenantReport]()
        points, circumstances = list[TimelinePoint](), dict[str, Circumstances]()
        to_set_aside = 0
        known = dict[str, Mapping[str, KnownPoint]]()

        async def look(tenant: str) -> None:
            nonlocal to_set_aside
            inventory = await take_inventory(self.vault, tenant, self.now, self._looks, ignoring_lease_of=self.owner)
            for problem in inventory.problems:
                reports[tenant].not_done(problem, needs_operator=True)
            reports[tenant].notes += inventory.notes
            points.extend(inventory.points)
            circumstances[tenant], known[tenant] = inventory.circumstances, inventory.known
            to_set_aside += len(inventory.points)
            if to_set_aside >= SET_ASIDE_POINTS:
                to_set_aside = 0
                setting_aside.let_go_first()

        await for_each_tenant(tenants, look, reports, at_once=LOOKS_AT_ONCE)
        plans = await plan_away_from_loop(
            points, self.register, planned_for, last_run=last_run, circumstances=circumstances, reports=reports
        )
        return FleetReview(plans, reports, last_run, known)

    async def _last_run(self) -> datetime | None:
        """When retention last looked at the whole fleet; a moment that is yet to come is logged and not believed."""
        last = await last_retention(self.vault.documents)
        if last and last.at > self.now:
            log.warning(
                "last-retention.json in the vault says that %s ran at %s, which is yet to come: a clock was ahead, or "
                "this one is behind. It is passed over, and the next run of the fleet replaces it. Check the clocks.",
                last.owner,
                last.at,
            )
            return None
        return last.at if last else None

    def _judged(
        self,
        review: FleetReview,
        tenant: str,
        stopping: tuple[Objection, ...],
        fingerprint: str,
    ) -> JudgedPlan:
        plan, entry = review.plans.plans[tenant], self.register.tenants.get(tenant)
        return JudgedPlan(plan, fingerprint, entry, stopping, review.last_run)

    async def _act(self, tenant: str, review: FleetReview) -> None:
        plan, stopping = review.plans.plans[tenant], review.plans.stopping(tenant)
        judged = self._judged(review, tenant, stopping, plan.fingerprint)
        await self._carry_out(replace(judged, known=review.known[tenant]), review)

    async def _carry_out(self, judged: JudgedPlan, review: FleetReview) -> None:
        await carry_out(self._looks, judged, self.owner, self.now, review.reports[judged.plan.tenant])
