"""Plans of a fleet: whose trouble they are, and whom they keep waiting."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from include.rules.points.moments import LAST
from include.rules.retention.fleet import FleetPlan, plan_fleet
from include.rules.retention.reports import TenantReport
from include.rules.retention.timeline import TimelinePoint
from lab.testing.deadlines import within
from lab.waiting import wait_until
from perennial.hooks.asynchronous import setting_aside
from perennial.retention import fleet as retention_of_fleet
from perennial.retention import planning
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.unit.retention.timelines import point

pytestmark = pytest.mark.lab


def test_a_moment_that_somebody_has_written_at_the_end_of_time_stops_nobody(fleet: Stock) -> None:
    old = fleet.add(OLD)
    fleet.add_daily(NOW - timedelta(hours=9), 3)
    for days, changes in enumerate(({"time": LAST}, {"closed_at": LAST}, {"locked_until": LAST}), start=20):
        fleet.change(fleet.add(NOW - days * DAY), **changes)
    assert fleet.retain().not_done() == []
    assert fleet.state(old) == "expiring"


def test_what_keeps_a_tenant_from_being_planned_goes_into_its_report_alone(
    fleet: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = fleet.add(OLD)
    fleet.add_daily(NOW - timedelta(hours=9), 3)

    def fails_for_globex(*arguments: object, **options: object) -> FleetPlan:
        planned = plan_fleet(*arguments, **options)  # type: ignore[arg-type]
        plans = {tenant: plan for tenant, plan in planned.plans.items() if tenant != "globex"}
        return FleetPlan(plans, planned.objections, {"globex": OverflowError("date value out of range")})

    fleet.register("acme", "globex")
    fleet.add_daily(NOW - timedelta(hours=9), 3, tenant="globex")
    monkeypatch.setattr(planning, "plan_fleet", fails_for_globex)
    (message,) = fleet.retain().needing_operator()
    assert message == "Tenant globex: OverflowError: date value out of range"
    assert fleet.state(old) == "expiring"


@pytest.mark.parametrize(("many", "is_set_aside"), [(1, True), (2, False)])
def test_a_triggerer_sets_the_plans_of_a_large_fleet_aside_and_they_go_with_the_run(
    fleet: Stock, monkeypatch: pytest.MonkeyPatch, many: int, is_set_aside: bool
) -> None:
    monkeypatch.setattr(setting_aside, "has_begun", True)
    monkeypatch.setattr(planning, "MANY", many)
    points, register = [point("2026-06-29T02")], fleet.read_register()
    reports = {"acme": TenantReport("acme")}
    gc.collect()
    plans = fleet.run(
        planning.plan_away_from_loop(points, register, NOW, last_run=None, circumstances={}, reports=reports)
    )
    plan = plans.plans["acme"]
    assert plan.kept
    assert any(one is plan for one in gc.get_objects()) is not is_set_aside
    gone = weakref.ref(plan)
    gc.disable()
    try:
        del plan, plans
        # The thread that has made it lets go of it a moment after its word.
        wait_until(lambda: gone() is None, within(10), "something refers to it still")
    finally:
        gc.enable()


@pytest.mark.parametrize(("points", "is_set_aside"), [(1, True), (1_000, False)])
def test_a_triggerer_sets_aside_what_it_learns_while_it_looks_at_a_large_fleet(
    fleet: Stock, monkeypatch: pytest.MonkeyPatch, points: int, is_set_aside: bool
) -> None:
    monkeypatch.setattr(setting_aside, "has_begun", True)
    monkeypatch.setattr(retention_of_fleet, "SET_ASIDE_POINTS", points)
    plan, are_looked_at = planning.plan_away_from_loop, list[bool]()

    async def seen(points: Sequence[TimelinePoint], *arguments: Any, **options: Any) -> FleetPlan:
        are_looked_at.append(any(one is points[0] for one in gc.get_objects()))
        return await plan(points, *arguments, **options)

    monkeypatch.setattr(retention_of_fleet, "plan_away_from_loop", seen)
    fleet.add(OLD)
    fleet.retain()
    assert are_looked_at == [not is_set_aside]


def test_other_steps_go_on_while_a_fleet_is_planned(fleet: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    others_turn = threading.Event()

    def in_their_midst(*arguments: object, **options: object) -> FleetPlan:
        assert others_turn.wait(within(20)), "nobody had a turn"
        return plan_fleet(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(planning, "plan_fleet", in_their_midst)

    register = fleet.read_register()

    async def plan() -> FleetPlan:
        asyncio.get_running_loop().call_later(0, others_turn.set)
        return await planning.plan_away_from_loop([], register, NOW, last_run=None, circumstances={}, reports={})

    assert fleet.run(plan()).plans == {}
