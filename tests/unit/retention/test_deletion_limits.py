"""How many points may go in one run: of a tenant, and of the whole fleet."""

from __future__ import annotations

from datetime import timedelta

from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.deletion_limits import check_fleet
from include.rules.retention.objections import Guard
from include.rules.retention.plan import Action, RetentionPlan, plan_retention
from include.rules.retention.timeline import TimelinePoint
from tests.unit.retention.stopped import STRICT, YESTERDAY, objections, only, plan
from tests.unit.retention.timelines import DAY, NOW, days, expiring, point


def test_three_points_a_day_may_expire_and_four_need_approval() -> None:
    assert objections(plan(days("2026-06-30T02", 5), STRICT)) == []
    objection = only(objections(plan(days("2026-06-30T02", 6), STRICT)))
    assert objection.approvable
    assert str(objection) == (
        "MAX_DELETE: Retention stopped for tenant acme: the plan would expire 4 of 6 recovery points "
        "(limit 3). A changed policy or a wrong clock can do that; nothing was expired or deleted. Start `retention` "
        "with `tenant: acme`: it shows the plan, asks for approval and goes on."
    )


def test_the_limit_counts_every_day_since_the_last_completed_run() -> None:
    retention_plan = plan(days("2026-06-30T02", 8), STRICT)
    assert objections(retention_plan, last_run=NOW - 2 * DAY - timedelta(minutes=1)) == []
    assert objections(retention_plan, last_run=NOW - 2 * DAY + timedelta(minutes=1)) == []
    assert only(objections(retention_plan, last_run=NOW - timedelta(hours=35))).guard is Guard.MAX_DELETE
    assert only(objections(retention_plan, last_run=None)).guard is Guard.MAX_DELETE, "before the first run: one day"


def test_a_pause_of_a_month_raises_the_limit_no_more_than_a_long_weekend_does() -> None:
    assert objections(plan(days("2026-06-30T02", 11), STRICT), last_run=NOW - 3 * DAY) == []
    objection = only(objections(plan(days("2026-06-30T02", 30), STRICT), last_run=NOW - 30 * DAY))
    assert "would expire 28 of 30 recovery points (limit 9)" in objection.what


def test_the_remains_of_failed_backups_are_no_loss() -> None:
    failed = [point(NOW - (8 + age) * DAY, state=State.FAILED) for age in range(9)]
    retention_plan = plan([*failed, point(NOW)])
    assert len(retention_plan.to(Action.EXPIRE)) == 9
    assert objections(retention_plan) == []


def test_what_was_marked_before_is_not_counted_again() -> None:
    marked = [expiring(NOW - age * DAY, YESTERDAY) for age in range(3, 20)]
    retention_plan = plan([*marked, *days("2026-06-30T02", 2)], STRICT)
    assert len(retention_plan.to(Action.DELETE)) == 17
    assert objections(retention_plan) == []


def hourly(newest: int, count: int, step: int = 60) -> list[TimelinePoint]:
    """Hourly points, one every `step` minutes, the newest so many hours old."""
    times = [NOW - timedelta(hours=newest, minutes=number * step) for number in range(count)]
    return [point(time, Kind.HOURLY, id=f"acme-hourly-{time:%Y%m%dT%H%M}") for time in times]


def test_as_many_hourly_points_may_expire_as_were_made_and_three_more() -> None:
    retention_plan, old, daily = hourly(0, 30, step=40), hourly(48, 34), days("2026-06-30T02", 1)
    assert objections(plan([*retention_plan, *old[:33], *daily])) == []
    objection = only(objections(plan([*retention_plan, *old, *daily])))
    assert objection.approvable
    assert objection.what == (
        "Retention stopped for tenant acme: the plan would expire 34 hourly ones of 65 recovery points "
        "(30 were made since 2026-06-29 06:00Z, limit 33)."
    )


def test_the_hourly_points_of_an_ordinary_day_go_after_a_day_on_which_few_were_made() -> None:
    """The database server was away for 20 hours."""
    retention_plan, daily = hourly(0, 4), days("2026-06-30T02", 1)
    assert objections(plan([*retention_plan, *hourly(48, 27), *daily])) == []
    assert "limit 27" in only(objections(plan([*retention_plan, *hourly(48, 28), *daily]))).what


def test_the_safety_points_of_a_day_with_many_restores_go_together() -> None:
    safety = [point(NOW - timedelta(days=14, minutes=number), Kind.SAFETY) for number in range(5)]
    retention_plan = plan([*safety, *days("2026-06-30T02", 1)])
    assert len(retention_plan.to(Action.EXPIRE)) == 5
    assert objections(retention_plan) == []
    assert check_fleet([retention_plan], now=NOW, last_run=YESTERDAY) == ()


def fleet(tenants: int, losing: int) -> list[RetentionPlan]:
    """Plans of tenants with 10 points, of which each loses `losing`."""
    return [
        plan_retention(
            f"t{number}",
            days("2026-06-30T02", 10, tenant=f"t{number}"),
            RetentionPolicy(daily=10 - losing, weekly=0, monthly=0, yearly=0),
            NOW,
        )
        for number in range(tenants)
    ]


def test_a_tenth_of_the_fleet_may_expire_and_more_needs_approval() -> None:
    assert check_fleet(fleet(20, losing=1), now=NOW, last_run=YESTERDAY) == ()
    objection = only(check_fleet(fleet(20, losing=2), now=NOW, last_run=YESTERDAY))
    assert objection.tenant is None
    assert objection.approvable
    assert objection.what == (
        "Retention stopped for all tenants: the plans would expire 40 of 200 recovery points of the fleet (limit 10%, "
        "at least 3)."
    )
    assert "start `retention` with `tenant` for one tenant after the other" in objection.todo


def test_a_fleet_of_one_tenant_may_lose_what_that_tenant_may_lose() -> None:
    assert check_fleet(fleet(1, losing=3), now=NOW, last_run=YESTERDAY) == ()


def test_a_pause_of_a_month_does_not_lift_the_limit_of_a_small_fleet() -> None:
    retention_plan = [plan(days("2026-06-30T02", 30), RetentionPolicy(daily=3, weekly=0, monthly=0, yearly=0))]
    objection = only(check_fleet(retention_plan, now=NOW, last_run=NOW - 30 * DAY))
    assert "would expire 27 of 30 recovery points of the fleet (limit 10%, at least 9)" in objection.what
