"""Retention of one tenant: its plan as it was judged is made again under the tenant's lease, and carried out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from include.rules.errors import LeaseBusyError, LeaseLostError, OutrankedError, PerennialError
from include.rules.points.leases import Purpose
from include.rules.points.manifest import Manifest
from include.rules.points.transitions import State
from include.rules.register.tenants import Tenant
from include.rules.retention.deletion_limits import too_many_lost
from include.rules.retention.expiry import abandoned, deletion_begun, marked, taken_back
from include.rules.retention.guards import after_approval, applied_after, check_tenant
from include.rules.retention.lost_parts import failed_for_want_of
from include.rules.retention.objections import Objection
from include.rules.retention.plan import Action, RetentionPlan, plan_retention
from include.rules.retention.reports import Deed, TenantReport
from perennial.hooks.vault import tenant_lease
from perennial.hooks.vault.leased import LeasedPoint
from perennial.hooks.vault.tenant_lease import TenantLease
from perennial.retention.applied import record_applied
from perennial.retention.deletion import Deletion
from perennial.retention.inventory import TenantInventory, take_inventory
from perennial.retention.known_points import KnownPoint
from perennial.retention.shared_looks import SharedLooks
from perennial.retention.troubles import trouble_of

Change = Callable[[Manifest], Manifest]

KEEPING = (Action.FAIL, Action.TAKE_BACK)
"""Acts that take nothing away: no guard stops them."""
ACTS = (*KEEPING, Action.EXPIRE, Action.DELETE)


@dataclass(frozen=True)
class JudgedPlan:
    """What a run may do with one tenant's points.

    Attributes:
        plan: The plan that the guards have judged.
        fingerprint: What may go: the hash of the plan as the guards, or a person, have seen it.
        tenant: The tenant as the register has it; None for one that has left.
        stopped: Guards that stop whatever takes something away.
        approved: True when a person has approved the plan.
        seen_lost: Ids of the points that had lost parts when it was shown.
        last_run: The moment of the last completed run of the fleet.
        known: What the look before has left of the tenant's points, where this one sees the same snapshots.
    """

    plan: RetentionPlan
    fingerprint: str
    tenant: Tenant | None
    stopped: tuple[Objection, ...]
    last_run: datetime | None
    approved: bool = False
    seen_lost: tuple[str, ...] = ()
    known: Mapping[str, KnownPoint] = field(default_factory=dict)


async def carry_out(shared: SharedLooks, judged: JudgedPlan, owner: str, now: datetime, report: TenantReport) -> None:
    """Act on one tenant under its lease; what goes wrong is written into the report.

    Args:
        shared: Looks at snapshots, and takes note of those that nobody uses any more.
        now: The moment of acting, in UTC.

    Raises:
        OutrankedError: when a later incarnation of the same run is at work on the tenant.
    """
    actions = KEEPING if judged.stopped else ACTS
    circumstances = judged.plan.circumstances
    to_record = applied_after(judged.plan, judged.tenant, now=now, owner=owner)
    if_free = circumstances.left_over or to_record
    if not (judged.plan.to(*actions) or circumstances.lost or (if_free and not judged.stopped)):
        return
    try:
        lease = await tenant_lease.acquire(shared.vault, judged.plan.tenant, owner, Purpose.RETENTION)
        async with tenant_lease.released_after(lease), tenant_lease.renewing(lease):
            await _act(lease, shared, judged, now, report)
    except OutrankedError:
        raise
    except (LeaseBusyError, LeaseLostError) as error:
        report.not_done(error, needs_operator=False)


async def _act(
    lease: TenantLease, shared: SharedLooks, judged: JudgedPlan, now: datetime, report: TenantReport
) -> None:
    inventory, plan = await _look_again(lease, shared, judged, now)
    stopping = judged.stopped or _objections(plan, judged, now)
    if not judged.stopped:
        report.stopped_by(stopping)
    actions = PointActions(lease, inventory, now, report, shared)
    if not too_many_lost(plan) or (judged.approved and not stopping):
        await actions.fail_for_lost_parts(judged.plan.circumstances.lost)
    for verdict in plan.to(Action.FAIL):
        await actions.change(verdict.point.id, Deed.FAILED, lambda m: abandoned(m, now))
    for verdict in plan.to(Action.TAKE_BACK):
        await actions.change(verdict.point.id, Deed.TAKEN_BACK, taken_back)
    if stopping:
        return
    await actions.sweep()
    for verdict in plan.to(Action.EXPIRE):
        await actions.change(verdict.point.id, Deed.MARKED, lambda m: marked(m, now))
    for verdict in plan.to(Action.DELETE):
        await actions.delete(verdict.point.id)
    record = applied_after(plan, judged.tenant, now=now, owner=lease.owner)
    if record:  # only now: had the run died before, the next one would ask about what is left to do
        await record_applied(lease, inventory.applied, record)


async def _look_again(
    lease: TenantLease, shared: SharedLooks, judged: JudgedPlan, now: datetime
) -> tuple[TenantInventory, RetentionPlan]:
    """What there is of the tenant now that it is ours, and the plan that follows; in the inventory is the manifest of
    every point on which the plan acts.
    """

    async def look(known: Mapping[str, KnownPoint]) -> tuple[TenantInventory, RetentionPlan]:
        inventory = await take_inventory(
            lease.vault, lease.tenant, now, shared, ignoring_lease_of=lease.owner, known=known
        )
        points, circumstances = inventory.points, inventory.circumstances
        return inventory, plan_retention(lease.tenant, points, judged.plan.policy, judged.plan.now, circumstances)

    acted_on = {verdict.point.id for verdict in judged.plan.to(*ACTS)}
    inventory, plan = await look({name: point for name, point in judged.known.items() if name not in acted_on})
    if any(verdict.point.id not in inventory.manifests for verdict in plan.to(*ACTS)):
        return await look({})  # something has changed that lets a point come back, for instance
    return inventory, plan


def _objections(plan: RetentionPlan, judged: JudgedPlan, now: datetime) -> tuple[Objection, ...]:
    """What speaks against the plan now that nobody else can act on the tenant."""
    objections = check_tenant(plan, judged.tenant, now=now, last_run=judged.last_run)
    if objections and not judged.approved:
        return objections
    return after_approval(objections, plan, judged.fingerprint, judged.seen_lost)


@dataclass(frozen=True)
class PointActions:
    """What is done to the points of one tenant, one after the other; one point's trouble stops no other."""

    lease: TenantLease
    inventory: TenantInventory
    now: datetime
    report: TenantReport
    shared: SharedLooks

    async def change(self, point_id: str, deed: Deed, change: Change) -> None:
        """Change a manifest, unless it is not to be changed any more: a hold or a restore came in between."""
        with self._reported():
            await self._point(point_id).change(change)
            self.report.did(deed, point_id)

    async def fail_for_lost_parts(self, before: Collection[str]) -> None:
        """Write down that points have failed of which parts were missing at both looks, unless a restore reads them.

        Args:
            before: Ids of the points of which parts were missing at the first look.
        """
        for point_id, names in self.inventory.lost.items():
            if point_id in before and point_id not in self.inventory.circumstances.reading:
                await self.change(point_id, Deed.FAILED, partial(failed_for_want_of, missing=names, now=self.now))

    async def sweep(self) -> None:
        """Delete parts that a later attempt has replaced, and leave the lists of shared snapshots that are no part."""
        for point_id, names in self.inventory.left_over.items():
            deletion = Deletion(self._point(point_id), self.now, listed=self.inventory.snapshots.get(point_id, ()))
            with self._reported(deletion):
                self.report.swept += await deletion.delete_parts(names)
        for point_id, lists in self.inventory.unused.items():
            deletion = Deletion(self._point(point_id), self.now, lists)
            with self._reported(deletion):
                self.report.swept += await deletion.leave_lists()

    async def delete(self, point_id: str) -> None:
        """Delete a point for good, after its manifest says so; one that a lock holds in part stays as a whole."""
        point = self._point(point_id)
        lists, listed = self.inventory.lists[point_id], self.inventory.snapshots.get(point_id, ())
        deletion, expiry = Deletion(point, self.now, sorted(lists), listed), point.manifest.expiry
        with self._reported(deletion):
            if expiry and expiry.deletion_began_at is None and await deletion.find_locks():
                return
            if point.manifest.state is not State.EXPIRED:
                await point.change(lambda manifest: deletion_begun(manifest, self.now))
            if await deletion.delete_all():
                self.report.did(Deed.DELETED, point_id)

    def _point(self, point_id: str) -> LeasedPoint:
        return LeasedPoint(self.lease, self.inventory.manifests[point_id])

    @contextmanager
    def _reported(self, deletion: Deletion | None = None) -> Iterator[None]:
        """What goes wrong with one point is reported, and the next run tries again; only a lost lease ends all."""
        try:
            yield
        except LeaseLostError:
            raise
        except PerennialError as error:
            self.report.troubles.append(trouble_of(error, f"Tenant {self.lease.tenant}"))
        finally:
            if deletion:
                self.shared.emptied.update(deletion.emptied)
                manifest = deletion.point.manifest
                self.shared.wanted.note(manifest)
                for part in deletion.undeleted:
                    message = part.describe(manifest.tenant, manifest.id, manifest.state)
                    self.report.not_done(message, needs_operator=part.needs_operator)
