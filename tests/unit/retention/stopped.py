"""What the tests of the guards share: the plan of a tenant, and what the guards object to in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.guards import check_tenant
from include.rules.retention.objections import Objection
from include.rules.retention.plan import Circumstances, RetentionPlan, plan_retention
from include.rules.retention.timeline import TimelinePoint
from tests.unit.builders import tenant
from tests.unit.retention.timelines import DAY, NOW, POLICY

YESTERDAY = NOW - DAY
STRICT = RetentionPolicy(daily=2, weekly=0, monthly=0, yearly=0)


def plan(points: Iterable[TimelinePoint], policy: RetentionPolicy = POLICY, **around: Any) -> RetentionPlan:
    return plan_retention("acme", points, policy, NOW, Circumstances(**around))


def objections(retention_plan: RetentionPlan, **changes: Any) -> list[Objection]:
    options = {"tenant": tenant(), "now": NOW, "last_run": YESTERDAY, **changes}
    return list(check_tenant(retention_plan, options.pop("tenant"), **options))


def only(given: Iterable[Objection]) -> Objection:
    (objection,) = given
    return objection
