"""Retention of a half restored tenant: its backups push no good one out, and what may mend it stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.guards import check_tenant
from include.rules.retention.objections import Guard
from include.rules.retention.plan import Action, Circumstances, plan_retention
from tests.unit.builders import tenant
from tests.unit.retention.timelines import DAY, NOW, POLICY, actions, days, expiring, point, reasons_of

HALF: dict[str, Any] = {"half_restored": "acme-restore-1"}
THREE_DAYS = RetentionPolicy(daily=3, weekly=0, monthly=0, yearly=0)


def test_a_backup_of_a_half_restored_tenant_stands_for_no_period_that_has_a_good_one() -> None:
    good = point("2026-04-27T02")
    half = [point(f"2026-04-{day}T02", **HALF) for day in (28, 29, 30)]
    retention_plan = plan_retention("acme", [good, *half, point("2026-06-30T02")], POLICY, NOW)
    assert reasons_of(retention_plan)[good.id] == ["weekly 2026-W18", "monthly 2026-04"]
    assert {actions(retention_plan)[it.id] for it in half} == {"expire"}


def test_it_stands_for_a_period_that_has_no_good_one_before_one_that_is_not_verified() -> None:
    half = point("2026-04-28T02", **HALF)
    pending = point("2026-04-29T02", state=State.PENDING)
    retention_plan = plan_retention("acme", [half, pending, point("2026-06-30T02")], POLICY, NOW)
    assert reasons_of(retention_plan)[half.id] == ["weekly 2026-W18", "monthly 2026-04"]


def test_the_last_good_point_stays_behind_any_number_of_backups_of_a_half_restored_tenant() -> None:
    good = point(NOW - 4 * DAY)
    half = days("2026-06-30T02", 4, **HALF)
    retention_plan = plan_retention("acme", [good, *half], THREE_DAYS, NOW)
    assert reasons_of(retention_plan)[good.id] == ["last verified"]
    only_half = plan_retention("acme", half, RetentionPolicy(daily=0, monthly=0, yearly=0), NOW)
    assert "last verified" in reasons_of(only_half)[half[0].id], (
        "where there is no other, the newest is better than none"
    )


def test_a_good_safety_point_is_the_last_verified_one_where_all_others_are_of_a_half_restored_tenant() -> None:
    safety = point(NOW - 15 * DAY, Kind.SAFETY)
    retention_plan = plan_retention("acme", [safety, *days("2026-06-30T02", 5, **HALF)], THREE_DAYS, NOW)
    assert reasons_of(retention_plan)[safety.id] == ["last verified"]
    (objection,) = check_tenant(retention_plan, tenant(), now=NOW, last_run=NOW - DAY)
    assert (objection.guard, objection.needs_operator) == (Guard.STALE, True)


def test_nothing_goes_while_all_new_backups_are_of_a_half_restored_tenant() -> None:
    points = [*days("2026-06-27T02", 4), *days("2026-06-30T02", 3, **HALF)]
    retention_plan = plan_retention("acme", points, THREE_DAYS, NOW)
    assert retention_plan.to(Action.EXPIRE)
    (objection,) = check_tenant(retention_plan, tenant(), now=NOW, last_run=NOW - DAY)
    assert (objection.guard, objection.approvable, objection.needs_operator) == (Guard.STALE, False, True)
    assert str(objection) == (
        "STALE: Retention stopped for tenant acme: it has no newer verified recovery point than acme-daily-20260627 of "
        "2026-06-27 02:00Z (limit 52 hours), but for those that were taken since restore acme-restore-1 has left it "
        "half restored. Those show no consistent state: the older ones are all there is; nothing was expired or "
        "deleted. Clear the task `open` of that restore, or start a new one, so that it comes to its end; the next "
        "`retention` goes on by itself."
    )


def test_the_points_of_an_unfinished_restore_stay_whatever_their_age() -> None:
    source, safety = point(NOW - 60 * DAY), point(NOW - 20 * DAY, Kind.SAFETY)
    marked = expiring(NOW - 61 * DAY, NOW - timedelta(hours=30))
    points = [source, safety, marked, *days("2026-06-30T02", 3)]
    unfinished = dict.fromkeys((source.id, safety.id, marked.id, "acme-daily-gone"), "acme-restore-1")
    retention_plan = plan_retention("acme", points, THREE_DAYS, NOW, Circumstances(unfinished=unfinished))
    assert {name: actions(retention_plan)[name] for name in (source.id, safety.id, marked.id)} == {
        source.id: "keep", safety.id: "keep", marked.id: "take back"
    }  # fmt: skip
    assert reasons_of(retention_plan)[safety.id] == ["restore acme-restore-1 is unfinished"]
    assert retention_plan.verdicts[source.id].until is None, "nobody knows when it comes to its end"
