"""Retention of the whole fleet, day after day."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from include.rules.points.manifest import Expiry
from include.rules.points.moments import FIRST, LAST
from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.register.register import Problem, Register
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.explanations import explain
from include.rules.retention.fleet import FleetPlan, plan_fleet
from include.rules.retention.objections import Guard
from include.rules.retention.plan import Action, Circumstances
from include.rules.retention.timeline import TimelinePoint
from tests.unit.builders import tenant
from tests.unit.retention.simulation import acted_on
from tests.unit.retention.timelines import DAY, NOW, POLICY, days, moment, offboarding, point

HOURLY = tenant(plan={"name": "hourly", "cadence": "hourly", "manual_backups_per_month": 9, "rpo_hours": 2})


def register(*tenants: str, retention: RetentionPolicy = POLICY) -> Register:
    plan = HOURLY.plan.model_copy(update={"retention": retention})
    return Register({name: HOURLY.model_copy(update={"id": name, "plan": plan}) for name in tenants})


def guards(planned: FleetPlan) -> dict[str | None, Guard]:
    return {objection.tenant: objection.guard for objection in planned.objections}


def test_a_steady_fleet_of_hourly_tenants_never_needs_an_approval() -> None:
    """A point every hour and a daily one at nine, retention at noon; in the first year every third run is half an hour
    late, as a busy scheduler makes it.
    """
    names, points, held = ("acme", "globex"), list[TimelinePoint](), list[int]()
    last_run: datetime | None = None
    for number in range(450):
        today = moment("2024-01-01") + number * DAY
        for name in names:
            hours = [point(today + timedelta(hours=hour) - DAY / 2, Kind.HOURLY, tenant=name) for hour in range(24)]
            points += [*hours, point(today + timedelta(hours=9), tenant=name)]
        now = today + timedelta(hours=12, minutes=30 if number < 365 and number % 3 == 0 else 0)
        planned = plan_fleet(points, register(*names), now, last_run=last_run)
        assert planned.objections == (), now
        points, last_run = [it for plan in planned.plans.values() for it in acted_on(plan)], now
        held.append(len(points) // 2)
    assert max(held[420:]) <= 48 + 24 + 60, "hourly points, those in their grace period, and the daily ones"


def test_an_objection_to_one_tenant_leaves_the_others_alone() -> None:
    points = [*days("2026-06-30T02", 33), *days("2026-06-01T02", 8, tenant="globex")]
    planned = plan_fleet(points, register("acme", "globex"), NOW, last_run=NOW - 30 * DAY)
    assert guards(planned) == {"globex": Guard.STALE}
    assert planned.stopping("acme") == ()
    assert [objection.guard for objection in planned.stopping("globex")] == [Guard.STALE]


def test_a_tenant_that_cannot_be_planned_is_named_and_stops_no_other() -> None:
    twice = days("2026-06-30T02", 8, tenant="globex")
    points = [*days("2026-06-30T02", 33), *twice, twice[0]]
    planned = plan_fleet(points, register("acme", "globex"), NOW, last_run=NOW - DAY)
    assert list(planned.plans) == ["acme"]
    assert planned.stopping("acme") == ()
    assert {tenant: str(error) for tenant, error in planned.failed.items()} == {
        "globex": "the retention plan of tenant globex was asked for with a recovery point that stands twice"
    }


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("end", [FIRST, LAST], ids=["first", "last"])
def test_a_moment_at_the_end_of_the_calendar_is_planned_like_any_other(end: datetime, state: State) -> None:
    marked = Expiry(marked_at=end, previous_state=State.VERIFIED) if state in (State.EXPIRING, State.EXPIRED) else None
    points = [
        point(moment("2026-06-30T02")),
        replace(point(NOW), id="acme-daily-1", time=end, state=state, expiry=marked),
        replace(point(NOW), id="acme-daily-2", since=end, state=state, expiry=marked),
        replace(point(NOW), id="acme-daily-3", locked_until=end, state=state, expiry=marked),
    ]
    policy = POLICY.model_copy(update={"locked_days": 30})
    planned = plan_fleet(points, register("acme", retention=policy), NOW, last_run=NOW - DAY)
    assert planned.failed == {}
    assert len(explain(planned.plans["acme"])) == len(points)


def test_a_fleet_that_would_lose_too_much_stops_as_a_whole() -> None:
    names = [f"t{number}" for number in range(9)]
    points = [it for name in names for it in days("2026-06-30T02", 10, tenant=name)]
    week = RetentionPolicy(daily=7, weekly=0, monthly=0, yearly=0)
    planned = plan_fleet(points, register(*names, retention=week), NOW, last_run=NOW - DAY)
    assert guards(planned) == {None: Guard.MAX_DELETE}
    assert [objection.guard for objection in planned.stopping("t3")] == [Guard.MAX_DELETE]


def test_a_stopped_tenant_does_not_stop_the_fleet() -> None:
    names = [f"t{number}" for number in range(9)]
    points = [it for name in names for it in days("2026-06-30T02", 30, tenant=name)]
    planned = plan_fleet(
        [*points, *days("2026-06-30T02", 400, tenant="big")], register(*names, "big"), NOW, last_run=None
    )
    assert guards(planned) == {"big": Guard.MAX_DELETE}


def test_a_tenant_without_a_usable_entry_has_no_plan_and_is_named() -> None:
    broken = Register({}, (Problem("tenants.yaml", "tenant acme", "plan: there is no usable plan 'gold'"),))
    points = [*days("2020-06-30T02", 3), *days("2020-06-30T02", 2, tenant="acme-2")]
    planned = plan_fleet(points, broken, NOW, last_run=None)
    assert planned.plans == {}
    assert guards(planned) == {"acme": Guard.UNKNOWN_TENANT, "acme-2": Guard.UNKNOWN_TENANT}
    assert "plan: there is no usable plan 'gold'" in planned.objections[0].what
    assert "3 recovery points" in planned.objections[0].what, "a tenant is never told by how an id begins"


def test_a_tenant_that_has_left_is_planned_by_what_its_record_says() -> None:
    around = {"acme": Circumstances(offboarding=offboarding("2026-07-30"))}
    points = [*days("2026-06-01T02", 2), *days("2026-05-24T02", 1), point("2026-05-30")]
    planned = plan_fleet(points, register(), NOW, last_run=NOW - 60 * DAY, circumstances=around)
    assert planned.objections == ()
    assert planned.plans["acme"].to(Action.EXPIRE)


def test_a_record_that_a_tenant_has_left_counts_for_nothing_beside_an_entry_that_cannot_be_used() -> None:
    around = {"acme": Circumstances(offboarding=offboarding("2026-07-30"))}
    broken = Register({}, (Problem("tenants.yaml", "tenant acme", "plan: there is no usable plan 'gold'"),))
    planned = plan_fleet(days("2026-06-30T02", 33), broken, NOW, last_run=NOW - DAY, circumstances=around)
    assert planned.plans == {}
    assert guards(planned) == {"acme": Guard.UNKNOWN_TENANT}
