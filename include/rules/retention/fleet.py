"""Retention of the whole fleet: every tenant by itself, and what speaks against acting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from include.rules.register.register import Register
from include.rules.retention.deletion_limits import check_fleet
from include.rules.retention.guards import check_tenant, unknown_tenant
from include.rules.retention.objections import Objection
from include.rules.retention.plan import NOTHING_ELSE, Circumstances, RetentionPlan, plan_retention
from include.rules.retention.timeline import TimelinePoint


@dataclass(frozen=True)
class FleetPlan:
    """The plans by tenant id, and every objection; a tenant without a usable register entry has no plan.

    Attributes:
        failed: By tenant id, what kept a tenant from being planned that should have a plan.
    """

    plans: Mapping[str, RetentionPlan]
    objections: tuple[Objection, ...]
    failed: Mapping[str, Exception] = field(default_factory=dict)

    def objections_to(self, tenant: str | None) -> tuple[Objection, ...]:
        """What speaks against the plan of this tenant alone; of None, against acting on the fleet."""
        return tuple(objection for objection in self.objections if objection.tenant == tenant)

    def stopping(self, tenant: str) -> tuple[Objection, ...]:
        """What stops this tenant: its own objections and those to the fleet."""
        return tuple(objection for objection in self.objections if objection.tenant in (tenant, None))


def plan_fleet(
    points: Iterable[TimelinePoint],
    register: Register,
    now: datetime,
    *,
    last_run: datetime | None,
    circumstances: Mapping[str, Circumstances] | None = None,
) -> FleetPlan:
    """Plan for every tenant that has recovery points.

    Args:
        points: The recovery points of all tenants (or of one), in any order; they are told apart by their tenant, never
            by how their ids begin.
        now: The moment of the decision, in UTC.
        last_run: The moment (UTC) of the last completed retention run; None before the first one.
        circumstances: Leases, restores and offboarding records, by tenant id; tenants without any may be left out.
    """
    by_tenant: dict[str, list[TimelinePoint]] = defaultdict(list)
    for point in points:
        by_tenant[point.tenant].append(point)
    plans: dict[str, RetentionPlan] = {}
    objections: list[Objection] = []
    failed: dict[str, Exception] = {}
    for tenant_id, of_tenant in sorted(by_tenant.items()):
        own_circumstances = (circumstances or {}).get(tenant_id, NOTHING_ELSE)
        try:
            plan, against = _plan_tenant(tenant_id, of_tenant, register, now, last_run, own_circumstances)
        except Exception as error:  # whatever it is: the others have done nothing wrong
            failed[tenant_id] = error
            continue
        plans |= {tenant_id: plan} if plan else {}
        objections += against
    stopped = {objection.tenant for objection in objections}
    free = [plan for tenant_id, plan in plans.items() if tenant_id not in stopped]
    return FleetPlan(plans, (*objections, *check_fleet(free, now=now, last_run=last_run)), failed)


def _plan_tenant(
    tenant_id: str,
    points: list[TimelinePoint],
    register: Register,
    now: datetime,
    last_run: datetime | None,
    circumstances: Circumstances,
) -> tuple[RetentionPlan | None, tuple[Objection, ...]]:
    """The plan of one tenant, if its policy is known, and what speaks against it."""
    tenant, offboarding = register.tenants.get(tenant_id), circumstances.offboarding
    problem = "; ".join(problem.message for problem in register.problems_of(tenant_id))
    # A tenant whose entry cannot be used has not left, whatever the record says: somebody has put it there.
    recorded = offboarding.retention if offboarding and not problem else None
    policy = tenant.plan.retention if tenant else recorded
    if policy is None:
        return None, (unknown_tenant(tenant_id, len(points), problem, offboarding),)
    plan = plan_retention(tenant_id, points, policy, now, circumstances)
    return plan, check_tenant(plan, tenant, now=now, last_run=last_run)
