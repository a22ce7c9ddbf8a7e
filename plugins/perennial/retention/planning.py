"""The plans of a whole fleet, made away from the event loop: they take a second for a thousand tenants of 60 points."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from include.rules.register.register import Register
from include.rules.retention.explanations import explain
from include.rules.retention.fleet import FleetPlan, plan_fleet
from include.rules.retention.plan import Circumstances
from include.rules.retention.reports import TenantReport
from include.rules.retention.timeline import TimelinePoint
from perennial.hooks.asynchronous import no_garbage_collection, set_aside_what_is_there, setting_aside

log = logging.getLogger(__name__)

MANY = 10_000
"""Points of so large a fleet that a triggerer sets its plans aside: to look at those of 60,000, each collection of
cyclic garbage would stop the event loop for 35 to 50 ms until the run has ended.
"""


async def plan_away_from_loop(
    points: Sequence[TimelinePoint],
    register: Register,
    now: datetime,
    *,
    last_run: datetime | None,
    circumstances: Mapping[str, Circumstances],
    reports: Mapping[str, TenantReport],
) -> FleetPlan:
    """Plan for every tenant, as `plan_fleet`; what becomes of its points, and why, goes into its report, and so does
    what has kept it from being planned.
    """

    is_large = len(points) >= MANY and setting_aside.has_begun

    def plan() -> FleetPlan:
        with no_garbage_collection():
            if is_large:
                gc.collect()  # what others have left in cycles by now would be set aside for ever
            plans = plan_fleet(points, register, now, last_run=last_run, circumstances=circumstances)
            for tenant, of_tenant in plans.plans.items():
                reports[tenant].explained, reports[tenant].kept = explain(of_tenant), len(of_tenant.kept)
            if is_large:
                set_aside_what_is_there()  # they are in no cycle: they go with the run
            return plans

    plans = await asyncio.to_thread(plan)
    for tenant, error in plans.failed.items():
        report_fault(reports[tenant], error)
    return plans


def report_fault(report: TenantReport, error: Exception) -> None:
    """Say that a tenant was left as it is for a reason that nobody has foreseen."""
    log.error("This is an error in Perennial itself: please report it with these lines.", exc_info=error)
    report.not_done(f"Tenant {report.tenant}: {type(error).__name__}: {error}", needs_operator=True)
