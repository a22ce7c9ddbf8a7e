"""How many points may go in one run: of a tenant, and of the whole fleet."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.deletion_limits import check_fleet
from include.rules.retention.objections import Guard
from include.rules.retention.plan import Action, Circumstances, RetentionPlan, plan_retention
from include.rules.retention.records import RULES_VERSION
from include.rules.retention.timeline import TimelinePoint
from tests.unit.retention.stopped import STRICT, YESTERDAY, objections, only, plan
from tests.unit.retention.timelines import DAY, NOW, applied, days, expiring, point

THIRTY = RetentionPolicy(daily=30, weekly=0, monthly=0, yearly=0)
WEEK = RetentionPolicy(daily=7, weekly=0, monthly=0, yearly=0)


def test_before_there_is_a_record_three_points_a_day_may_expire_and_four_need_approval() -> None:
    assert objections(plan(days("2026-06-30T02", 33), THIRTY)) == []
    objection = only(objections(plan(days("2026-06-30T02", 34), THIRTY)))
    assert objection.approvable
    assert str(objection) == (
        "MAX_DELETE: Retention stopped for tenant acme: the plan would expire 4 of 34 recovery points "
        "(limit 3). A changed policy or a wrong clock can do that; nothing was expired or deleted. Start `retention` "
        "with `tenant: acme`: it shows the plan, asks for approval and goes on."
    )


def test_before_there_is_a_record_the_limit_counts_every_day_since_the_last_completed_run() -> None:
    retention_plan = plan(days("2026-06-30T02", 36), THIRTY)
    assert objections(retention_plan, last_run=NOW - 2 * DAY - timedelta(minutes=1)) == []
    assert objections(retention_plan, last_run=NOW - 2 * DAY + timedelta(minutes=1)) == []
    assert only(objections(retention_plan, last_run=NOW - timedelta(hours=35))).guard is Guard.MAX_DELETE
    assert only(objections(retention_plan, last_run=None)).guard is Guard.MAX_DELETE, "before the first run: one day"


def test_a_pause_of_a_month_raises_the_limit_no_more_than_a_long_weekend_does() -> None:
    assert objections(plan(days("2026-06-30T02", 39), THIRTY), last_run=NOW - 3 * DAY) == []
    objection = only(objections(plan(days("2026-06-30T02", 58), THIRTY), last_run=NOW - 30 * DAY))
    assert "would expire 28 of 58 recovery points (limit 9)" in objection.what


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
    retention_plan, old, daily = hourly(0, 30, step=40), hourly(48, 34), days("2026-06-30T02", 5)
    assert objections(plan([*retention_plan, *old[:33], *daily])) == []
    objection = only(objections(plan([*retention_plan, *old, *daily])))
    assert objection.approvable
    assert objection.what == (
        "Retention stopped for tenant acme: the plan would expire 34 hourly ones of 69 recovery points "
        "(30 were made since 2026-06-29 06:00Z, limit 33)."
    )


def test_the_hourly_points_of_an_ordinary_day_go_after_a_day_on_which_few_were_made() -> None:
    """The database server was away for 20 hours."""
    retention_plan, daily = hourly(0, 4), days("2026-06-30T02", 5)
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


def test_by_the_same_policy_whatever_the_calendar_takes_goes_unasked() -> None:
    assert objections(plan(days("2026-06-30T02", 58), THIRTY, applied=applied(THIRTY)), last_run=None) == []


def test_what_a_changed_policy_takes_is_counted_and_what_the_calendar_takes_is_not() -> None:
    points = days("2026-06-30T02", 40)
    by_calendar, three = RetentionPolicy(daily=30, weekly=0, monthly=0, yearly=0, manual=9), THIRTY.model_copy
    assert objections(plan(points, by_calendar, applied=applied(THIRTY))) == [], "ten go, and would have gone"
    assert objections(plan(points, three(update={"daily": 27}), applied=applied(THIRTY))) == []
    objection = only(objections(plan(points, three(update={"daily": 26}), applied=applied(THIRTY))))
    assert (objection.guard, objection.approvable) == (Guard.MAX_DELETE, True)
    assert objection.what == (
        "Retention stopped for tenant acme: the plan would expire 4 of 40 recovery points (limit 3; since 2026-06-01 "
        "daily was 30 and is 26)."
    )


def test_a_pause_lends_a_changed_policy_nothing() -> None:
    changed = THIRTY.model_copy(update={"daily": 26})
    assert objections(plan(days("2026-06-30T02", 40), changed, applied=applied(THIRTY)), last_run=NOW - 3 * DAY)


def test_hourly_and_safety_points_that_a_changed_policy_takes_count_as_well() -> None:
    shorter = RetentionPolicy(hourly_hours=44)
    points = [*hourly(0, 48), *days("2026-06-30T02", 5)]
    assert "would expire 4 of 53" in only(objections(plan(points, shorter, applied=applied(RetentionPolicy())))).what
    safety = [point(NOW - timedelta(days=10, minutes=number), Kind.SAFETY) for number in range(5)]
    points, week = [*safety, *days("2026-06-30T02", 5)], RetentionPolicy(safety_days=7)
    assert (
        "safety_days was 14 and is 7" in only(objections(plan(points, week, applied=applied(RetentionPolicy())))).what
    )


def test_a_policy_that_was_changed_and_changed_back_before_anybody_answered_takes_nothing_unasked() -> None:
    points = days("2026-06-30T02", 40)
    assert objections(plan(points, WEEK, applied=applied(THIRTY)))
    assert objections(plan(points, THIRTY, applied=applied(THIRTY))) == []
    assert objections(plan(points, THIRTY, applied=applied(WEEK))) == [], "more generous"


@pytest.mark.parametrize("rules", [RULES_VERSION - 1, RULES_VERSION + 1])
def test_under_other_rules_all_that_expires_is_counted(rules: int) -> None:
    """Older ones, or those of a newer release: what they would have kept, nobody can tell."""
    record = applied(THIRTY, rules=rules)
    assert objections(plan(days("2026-06-30T02", 33), THIRTY, applied=record)) == []
    objection = only(objections(plan(days("2026-06-30T02", 34), THIRTY, applied=record)))
    assert f"the rules were of version {rules} on 2026-06-01 and are of {RULES_VERSION}" in objection.what


def test_more_than_half_of_the_verified_daily_and_manual_points_are_never_taken_at_once_unasked() -> None:
    record = applied(STRICT)
    assert objections(plan(days("2026-06-30T02", 4), STRICT, applied=record)) == []
    objection = only(objections(plan(days("2026-06-30T02", 5), STRICT, applied=record)))
    assert objection.approvable
    assert "3 of 5 verified daily and manual recovery points at once (limit half of them)" in objection.what


def test_points_that_do_not_count_make_half_of_the_others_no_less() -> None:
    """Hourly, safety, pending and failed ones, and those that are marked already."""
    others = [
        *hourly(0, 24),
        *(point(NOW - age * DAY, Kind.SAFETY) for age in range(1, 9)),
        *(point(NOW - age * DAY, state=State.FAILED, id=f"f{age}") for age in range(1, 9)),
        *(point(NOW - age * DAY, Kind.MANUAL, State.PENDING, id=f"p{age}") for age in range(1, 9)),
        *(expiring(NOW - age * DAY, YESTERDAY) for age in range(20, 29)),
    ]
    planned = plan([*others, *days("2026-06-30T02", 5)], STRICT, applied=applied(STRICT))
    assert "3 of 5 verified daily and manual" in only(objections(planned)).what


def test_the_hourly_points_of_a_tenant_that_was_stopped_go_when_it_goes_on() -> None:
    """Suspended for twenty days: 48 of the days before go at once, and no person is asked again."""
    points = [*hourly(20 * 24, 48), *hourly(0, 1), *days("2026-06-30T02", 5)]
    policy = RetentionPolicy()
    assert objections(plan(points, policy, applied=applied(policy, at=NOW - 20 * DAY))) == []
    assert only(objections(plan(points, policy, applied=applied(policy, at=YESTERDAY)))).guard is Guard.MAX_DELETE


def test_a_small_change_of_a_plan_that_many_tenants_have_asks_for_the_fleet() -> None:
    changed = THIRTY.model_copy(update={"daily": 27})
    around = Circumstances(applied=applied(THIRTY))
    plans = [
        plan_retention(f"t{number}", days("2026-06-30T02", 29, tenant=f"t{number}"), changed, NOW, around)
        for number in range(20)
    ]
    assert check_fleet(plans, now=NOW, last_run=YESTERDAY) == (), "2 of 29 of each"
    tighter = THIRTY.model_copy(update={"daily": 26})
    plans = [
        plan_retention(f"t{number}", days("2026-06-30T02", 29, tenant=f"t{number}"), tighter, NOW, around)
        for number in range(20)
    ]
    assert "60 of 580 recovery points of the fleet" in only(check_fleet(plans, now=NOW, last_run=YESTERDAY)).what


def test_what_the_calendar_takes_from_many_tenants_does_not_stop_the_fleet() -> None:
    around = Circumstances(applied=applied(THIRTY))
    plans = [
        plan_retention(f"t{number}", days("2026-06-30T02", 45, tenant=f"t{number}"), THIRTY, NOW, around)
        for number in range(20)
    ]
    assert check_fleet(plans, now=NOW, last_run=YESTERDAY) == (), "after an outage of all of them"
