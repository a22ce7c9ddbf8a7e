"""Plans of a fleet: whose trouble they are, and whom they keep waiting."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest

from include.rules.points.moments import LAST
from include.rules.retention.fleet import FleetPlan, plan_fleet
from lab.testing.deadlines import within
from perennial.retention import planning
from tests.support.retention import DAY, NOW, OLD, Stock

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
