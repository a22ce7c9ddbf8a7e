"""Retention of one tenant: its plan as it was judged is made again under the tenant's lease, and carried out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from include.rules.errors import LeaseBusyError, LeaseLostError, PerennialError
from include.rules.points.manifest import Manifest
from include.rules.points.transitions import State
from include.rules.register.tenants import Tenant
from include.rules.retention.deletion_limits import too_many_lost
from include.rules.retention.expiry import abandoned, deletion_begun, marked, taken_back
from include.rules.retention.guards import after_approval, check_tenant
from include.rules.retention.lost_parts import failed_for_want_of
from include.rules.retention.objections import Refusal
from include.rules.retention.plan import Action, RetentionPlan, plan_retention
from include.rules.retention.reports import TenantReport
from perennial.hooks.vault import tenant_lease
from perennial.hooks.vault.leased import LeasedPoint
from perennial.hooks.vault.tenant_lease import TenantLease
from perennial.hooks.vault.vault import Vault
from perennial.retention.deletion import Deletion
from perennial.retention.inventory import Holdings, holdings
from perennial.retention.troubles import trouble_of

Change = Callable[[Manifest], Manifest]


@dataclass(frozen=True)
class Mandate:
    """What a run may do with one tenant's points.

    Attributes:
        plan: The plan that the guards have judged.
        fingerprint: What may go: the hash of the plan as the guards, or a person, have seen it.
        tenant: The tenant as the register has it; None for one that has left.
        stopped: Guards that stop whatever takes something away.
        approved: True when a person has approved the plan.
        last_run: The moment of the last completed run of the fleet.
    """

    plan: RetentionPlan
    fingerprint: str
    tenant: Tenant | None
    stopped: tuple[Refusal, ...]
    last_run: datetime | None
    approved: bool = False


async def carry_out(vault: Vault, mandate: Mandate, owner: str, now: datetime, report: TenantReport) -> None:
    """Act on one tenant under its lease; what goes wrong is written into the report.

    Args:
        now: The moment of acting, in UTC.
    """
    actions = [Action.FAIL, Action.TAKE_BACK] + ([] if mandate.stopped else [Action.EXPIRE, Action.DELETE])
    around = mandate.plan.circumstances
    if not mandate.plan.to(*actions) and not around.lost and not (around.left_over and not mandate.stopped):
        return
    try:
        lease = await tenant_lease.acquire(vault, mandate.plan.tenant, owner, "retention")
        async with tenant_lease.released_after(lease), tenant_lease.renewing(lease):
            await _act(lease, mandate, now, report)
    except (LeaseBusyError, LeaseLostError) as error:
        report.not_done(error, for_person=False)


async def _act(lease: TenantLease, mandate: Mandate, now: datetime, report: TenantReport) -> None:
    judged = mandate.plan
    found = await holdings(lease.vault, lease.tenant, now, but_for=lease.owner)
    plan = plan_retention(lease.tenant, found.points, judged.policy, judged.now, found.circumstances)
    stopped = mandate.stopped or _refusals(plan, mandate, now)
    if not mandate.stopped:
        report.refused(stopped)
    work = _Work(lease, found, now, report)
    if not too_many_lost(plan) or (mandate.approved and not stopped):
        await work.lost(judged.circumstances.lost)
    for verdict in plan.to(Action.FAIL):
        await work.change(verdict.point.id, "failed", lambda m: abandoned(m, now))
    for verdict in plan.to(Action.TAKE_BACK):
        await work.change(verdict.point.id, "taken back", taken_back)
    if stopped:
        return
    for point_id, names in found.left_over.items():
        await work.sweep(point_id, names)
    for verdict in plan.to(Action.EXPIRE):
        await work.change(verdict.point.id, "marked", lambda m: marked(m, now))
    for verdict in plan.to(Action.DELETE):
        await work.delete(verdict.point.id)


def _refusals(plan: RetentionPlan, mandate: Mandate, now: datetime) -> tuple[Refusal, ...]:
    """What speaks against the plan now that nobody else can act on the tenant."""
    refusals = check_tenant(plan, mandate.tenant, now=now, last_run=mandate.last_run)
    if refusals and not mandate.approved:
        return refusals
    return after_approval(refusals, plan, mandate.fingerprint)


@dataclass(frozen=True)
class _Work:
    """What is done to the points of one tenant, one after the other; one point's trouble stops no other."""

    lease: TenantLease
    found: Holdings
    now: datetime
    report: TenantReport

    def _point(self, point_id: str) -> LeasedPoint:
        return LeasedPoint(self.lease, self.lease.vault.points, self.found.manifests[point_id])

    async def change(self, point_id: str, what: str, change: Change) -> None:
        """Change a manifest, unless it is not to be changed any more: a hold or a restore came in between."""
        with self._reported():
            await self._point(point_id).change(change)
            self.report.did(what, point_id)

    async def lost(self, before: Collection[str]) -> None:
        """Write down that points have failed of which parts were missing at both looks, unless a restore reads them.

        Args:
            before: Ids of the points of which parts were missing at the first look.
        """
        for point_id, gone in self.found.lost.items():
            if point_id in before and point_id not in self.found.circumstances.reading:
                await self.change(point_id, "failed", partial(failed_for_want_of, gone=gone, now=self.now))

    async def sweep(self, point_id: str, names: tuple[str, ...]) -> None:
        """Delete parts that a later attempt has replaced."""
        deletion = Deletion(self._point(point_id), self.now)
        with self._reported(deletion):
            self.report.swept += await deletion.parts(names, self.found.snapshots.get(point_id, ()))

    async def delete(self, point_id: str) -> None:
        """Delete a point for good, after its manifest says so; one that a lock holds in part stays as a whole."""
        point = self._point(point_id)
        deletion, expiry = Deletion(point, self.now), point.manifest.expiry
        with self._reported(deletion):
            if expiry and expiry.deletion_began_at is None and await deletion.is_locked():
                return
            if point.manifest.state is not State.EXPIRED:
                await point.change(lambda manifest: deletion_begun(manifest, self.now))
            if await deletion.whole():
                self.report.did("deleted", point_id)

    @contextmanager
    def _reported(self, deletion: Deletion | None = None) -> Iterator[None]:
        """What goes wrong with one point is reported, and the next run tries again; only a lost lease ends all."""
        try:
            yield
        except LeaseLostError:
            raise
        except PerennialError as error:
            self.report.troubles.append(trouble_of(error, self.lease.tenant))
        finally:
            if deletion:
                point = deletion.point.manifest
                for refused in deletion.refused:
                    said = refused.said(point.tenant, point.id, point.state)
                    self.report.not_done(said, for_person=refused.for_person)
