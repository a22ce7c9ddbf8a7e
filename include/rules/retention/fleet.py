"""Retention of the whole fleet: every tenant by itself, and what speaks against acting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from include.rules.register.register import Register
from include.rules.retention.deletion_limits import check_fleet
from include.rules.retention.guards import check_tenant, unknown_tenant
from include.rules.retention.objections import Objection
from include.rules.retention.plan import NOTHING_ELSE, Circumstances, RetentionPlan, plan_retention
from include.rules.retention.timeline import TimelinePoint


@dataclass(frozen=True)
class FleetPlan:
    """The plans by tenant id, and every objection; a tenant without a usable register entry has no plan."""

    plans: Mapping[str, RetentionPlan]
    objections: tuple[Objection, ...]

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
    for tenant_id, of_tenant in sorted(by_tenant.items()):
        own_circumstances = (circumstances or {}).get(tenant_id, NOTHING_ELSE)
        tenant, offboarding = register.tenants.get(tenant_id), own_circumstances.offboarding
        problem = "; ".join(problem.message for problem in register.problems_of(tenant_id))
        # A tenant whose entry cannot be used has not left, whatever the record says: somebody has put it there.
        recorded = offboarding.retention if offboarding and not problem else None
        policy = tenant.plan.retention if tenant else recorded
        if policy is None:
            objections.append(unknown_tenant(tenant_id, len(of_tenant), problem, offboarding))
            continue
        plan = plans[tenant_id] = plan_retention(tenant_id, of_tenant, policy, now, own_circumstances)
        objections += check_tenant(plan, tenant, now=now, last_run=last_run)
    stopped = {objection.tenant for objection in objections}
    free = [plan for tenant_id, plan in plans.items() if tenant_id not in stopped]
    return FleetPlan(plans, (*objections, *check_fleet(free, now=now, last_run=last_run)))
