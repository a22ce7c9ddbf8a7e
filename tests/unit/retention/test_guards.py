"""The guards: when a plan is stopped, and what the operator reads."""

from __future__ import annotations

from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.retention.guards import after_approval, applied_after, unknown_tenant
from include.rules.retention.objections import Guard
from include.rules.retention.plan import Action, Circumstances, RetentionPlan, Verdict
from include.rules.retention.records import RULES_VERSION, AppliedPolicy
from tests.unit.builders import tenant
from tests.unit.retention.stopped import STRICT, YESTERDAY, objections, only, plan
from tests.unit.retention.timelines import DAY, NOW, POLICY, applied, days, expiring, hold, offboarding, point


def test_an_ordinary_day_is_stopped_by_nothing() -> None:
    retention_plan = plan(days("2026-06-30T02", 33))
    assert [verdict.point.time.day for verdict in retention_plan.to(Action.EXPIRE)] == [30, 29]
    assert objections(retention_plan) == []


def test_nothing_goes_while_no_verified_point_comes_in() -> None:
    retention_plan = plan(days("2026-06-28T01", 38))
    assert retention_plan.to(Action.EXPIRE)
    objection = only(objections(retention_plan, last_run=NOW - 60 * DAY))
    assert not objection.approvable
    assert str(objection) == (
        "STALE: Retention stopped for tenant acme: it has no newer verified recovery point than acme-daily-20260628 of "
        "2026-06-28 01:00Z (limit 52 hours). While no backups come in, the old ones are all there is; nothing was "
        "expired or deleted. Look at its failed backups and start `manual_backup`; the next `retention` goes on by "
        "itself."
    )
    assert objections(plan(days("2026-06-28T02", 38)), last_run=NOW - 60 * DAY) == [], "twice the RPO of 26 hours"


def test_a_short_rpo_does_not_stop_retention_before_two_days() -> None:
    hourly = tenant(plan={"name": "h", "cadence": "hourly", "manual_backups_per_month": 1, "rpo_hours": 2})
    assert objections(plan(days("2026-06-28T06", 38)), tenant=hourly, last_run=NOW - 60 * DAY) == []
    stale = plan(days("2026-06-28T05", 38))
    assert only(objections(stale, tenant=hourly, last_run=NOW - 60 * DAY)).guard is Guard.STALE


def test_a_safety_point_is_no_sign_that_backups_are_made() -> None:
    retention_plan = plan([*days("2026-06-20T02", 30), point(NOW, Kind.SAFETY)])
    assert only(objections(retention_plan, last_run=NOW - 60 * DAY)).guard is Guard.STALE


def test_nothing_of_a_suspended_tenant_goes() -> None:
    objection = only(objections(plan(days("2026-06-30T02", 33)), tenant=tenant(suspended=True)))
    assert objection.guard is Guard.STALE
    assert "it is suspended." in objection.what


def test_nothing_goes_while_there_is_no_verified_point_at_all() -> None:
    objection = only(objections(plan([point(NOW - 9 * DAY, state=State.FAILED)])))
    assert "it has no verified recovery point." in objection.what


def test_what_needs_nothing_is_not_stopped() -> None:
    assert objections(plan(days("2026-01-01", 1))) == [], "stale, but nothing would go"


def test_a_plan_that_keeps_no_verified_point_is_a_fault_and_cannot_be_approved() -> None:
    verdicts = {it.id: Verdict(it, Action.EXPIRE) for it in days("2026-06-30T02", 2)}
    objection = only(objections(RetentionPlan("acme", NOW, POLICY, Circumstances(), verdicts)))
    assert objection.guard is Guard.NOTHING_KEPT
    assert not objection.approvable
    assert "the plan keeps none of its 2 verified recovery points." in objection.what
    assert "start `retention` with `tenant: acme` and `dry_run`" in objection.todo


def test_a_tenant_that_is_stale_is_asked_nothing() -> None:
    """Its plan would take more than half at once; nobody could approve that while it is stale."""
    assert only(objections(plan(days("2026-06-20T02", 5), STRICT))).guard is Guard.STALE


def test_points_of_nobody_are_reported_and_kept() -> None:
    assert str(unknown_tenant("acme", 7)) == (
        "UNKNOWN_TENANT: The vault has 7 recovery points of tenant acme, and it is not in the register. Nobody knows "
        "which of them to keep, so all were kept; they cost money. Put it back into the register, or, if it has left, "
        "start `offboard_tenant` with `tenant: acme` and the last day on which its last point is kept; the next "
        "`retention` does the rest."
    )


def test_a_tenant_with_an_entry_that_cannot_be_used_is_told_what_is_wrong_with_it() -> None:
    broken = unknown_tenant("acme", 1, "plan: no such plan")
    assert "its entry in the register cannot be used (plan: no such plan)." in broken.what
    assert broken.todo == "Correct the entry; the next `retention` does the rest."
    recorded = unknown_tenant("acme", 1, "plan: no such plan", offboarding("2026-07-30"))
    assert recorded.what.endswith("though it is recorded as gone since 2026-06-29 (by ada).")
    assert recorded.todo == (
        "Take the entry out of the register, or correct it and delete offboarded/acme.json from the vault; the next "
        "`retention` does the rest."
    )


def test_a_tenant_that_has_left_is_not_stale() -> None:
    points = [*days("2026-06-01T02", 2), *days("2026-05-24T02", 1), point("2026-05-30")]
    retention_plan = plan(points, offboarding=offboarding("2026-07-30"))
    assert retention_plan.to(Action.EXPIRE)
    assert objections(retention_plan, tenant=None, last_run=NOW - 60 * DAY) == []


def test_the_last_points_of_a_tenant_that_has_left_need_approval() -> None:
    retention_plan = plan(days("2026-06-01T02", 3), offboarding=offboarding("2026-06-29"))
    objection = only(objections(retention_plan, tenant=None))
    assert objection.guard is Guard.OFFBOARDED
    assert objection.approvable
    assert objection.what == (
        "Tenant acme is recorded as gone since 2026-06-29 (by ada), and its last points were to be kept until "
        "2026-06-29: 3 would expire now."
    )
    assert "Start `retention` with `tenant: acme`" in objection.todo
    marked = [expiring(it.time, YESTERDAY) for it in days("2026-06-01T02", 3)]
    approved_yesterday = plan(marked, offboarding=offboarding("2026-06-28"))
    assert len(approved_yesterday.to(Action.DELETE)) == 3
    assert objections(approved_yesterday, tenant=None) == []


def test_a_tenant_cannot_have_left_and_be_in_the_register() -> None:
    objection = only(objections(plan(days("2026-06-30T02", 33), offboarding=offboarding("2026-07-30"))))
    assert objection.guard is Guard.OFFBOARDED
    assert not objection.approvable
    assert objection.what.endswith("is recorded as gone since 2026-06-29 (by ada) and is in the register.")
    assert "delete offboarded/acme.json from the vault" in objection.todo


def test_an_approval_lifts_what_can_be_approved_and_nothing_else() -> None:
    retention_plan = plan(days("2026-06-30T02", 6), STRICT)
    assert after_approval(objections(retention_plan), retention_plan, retention_plan.fingerprint) == ()
    suspended = objections(retention_plan, tenant=tenant(suspended=True))
    assert [it.guard for it in after_approval(suspended, retention_plan, retention_plan.fingerprint)] == [Guard.STALE]


def test_an_approval_is_void_when_something_else_would_go() -> None:
    points = days("2026-06-30T02", 6)
    approved = plan(points, STRICT).fingerprint
    held = [*points[:5], point(points[5].time, hold=hold())]
    now_planned = plan(held, STRICT)
    objection = only(after_approval(objections(now_planned), now_planned, approved))
    assert objection.guard is Guard.PLAN_CHANGED
    assert "what would go is no longer what was approved." in objection.what
    assert "Start `retention` with `tenant: acme` again" in objection.todo


def test_a_policy_is_accepted_once_nothing_has_stopped_it() -> None:
    ordinary = plan(days("2026-06-30T02", 33))
    accepted = applied_after(ordinary, tenant(), now=NOW, owner="one")
    assert accepted == AppliedPolicy(tenant="acme", policy=POLICY, rules=RULES_VERSION, at=NOW, owner="one")
    quiet = plan(days("2026-06-30T02", 3))
    assert applied_after(quiet, tenant(), now=NOW, owner="one") == accepted, "also by a plan that takes nothing"
    known = plan(days("2026-06-30T02", 3), applied=applied(POLICY))
    assert applied_after(known, tenant(), now=NOW, owner="one") is None, "nothing new, nothing done"
    at_work = plan(days("2026-06-30T02", 33), applied=applied(POLICY))
    assert applied_after(at_work, tenant(), now=NOW, owner="one") == accepted, "when it last acted is known"


def test_nobody_accepts_a_policy_whose_effect_cannot_be_seen() -> None:
    """No backups come in, or points cannot be read: there is nothing to stop today, and tomorrow there may be."""
    old, few = plan(days("2026-06-01", 1)), days("2026-06-30T02", 3)
    assert objections(old) == []
    assert applied_after(old, tenant(), now=NOW, owner="one") is None
    assert applied_after(plan(few), tenant(suspended=True), now=NOW, owner="one") is None
    assert applied_after(plan(few, unread=True), tenant(), now=NOW, owner="one") is None
    left = plan(days("2026-06-01", 1), offboarding=offboarding("2026-07-30"))
    assert applied_after(left, None, now=NOW, owner="one"), "a tenant that has left is not stale"
