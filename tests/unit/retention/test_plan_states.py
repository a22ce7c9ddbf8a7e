"""Retention's plan for points that are no plain backups: under a hold, locked, running, failed, marked or left over."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.plan import Action
from include.rules.retention.reasons import FOR_EVER
from tests.unit.retention.timelines import (
    DAY,
    NOW,
    actions,
    expiring,
    hold,
    offboarding,
    plan,
    point,
    reasons_of,
)


def test_a_hold_keeps_a_point_until_its_last_day() -> None:
    held = point("2020-05-05", hold=hold("2026-06-30"))
    assert reasons_of(plan([held, point("2020-12-31")]))[held.id] == ["on hold: case 4711 (ada)"]
    assert actions(plan([held, point("2020-12-31")], NOW + DAY))[held.id] == "expire"


def test_a_manual_point_on_hold_uses_no_place() -> None:
    manual = [point(NOW - age * DAY, Kind.MANUAL) for age in range(1, 11)]
    held = point(NOW, Kind.MANUAL, hold=hold())
    retention_plan = plan([*manual, held])
    assert retention_plan.to(Action.EXPIRE) == ()
    assert "manual 1 of 10" in reasons_of(retention_plan)[manual[0].id]
    assert retention_plan.verdicts[held.id].until == FOR_EVER


def test_a_point_that_a_restore_is_reading_stays() -> None:
    read = point("2026-05-29")
    assert reasons_of(plan([read, point("2026-05-31")], reading=frozenset({read.id})))[read.id] == [
        "a restore is reading it"
    ]


def test_a_locked_point_stays_until_its_lock_ends() -> None:
    locked = RetentionPolicy(locked_days=90)
    old = point("2026-05-29")
    retention_plan = plan([old, point("2026-05-31"), point("2026-06-30T02")], policy=locked)
    assert reasons_of(retention_plan)[old.id] == ["locked where it is stored"]
    assert retention_plan.verdicts[old.id].until == date(2026, 8, 26), "the lock ends with that day"


def test_a_running_point_stays_while_its_run_holds_the_lease() -> None:
    at_work = point(NOW - 5 * DAY, state=State.RUNNING)
    assert actions(plan([at_work], lease_owner=at_work.owner))[at_work.id] == "keep"


@pytest.mark.parametrize("lease_owner", [None, "lab/retention/two"])
def test_a_running_point_that_no_run_carries_has_failed_after_a_day(lease_owner: str | None) -> None:
    young, old = (point(NOW - age * timedelta(hours=1), state=State.RUNNING) for age in (23, 24))
    assert [actions(plan([it], lease_owner=lease_owner))[it.id] for it in (young, old)] == ["keep", "fail"]


def test_a_pending_point_waits_two_days_for_its_verification() -> None:
    better = point(NOW - timedelta(hours=47, minutes=30))
    young, old = (point(better.time, Kind.DAILY, State.PENDING, id="p", since=NOW - h * DAY / 24) for h in (47, 48))
    assert [actions(plan([it, better]))["p"] for it in (young, old)] == ["keep", "expire"]


def test_what_is_left_of_a_failed_point_goes_after_seven_days() -> None:
    young, old = (point(NOW - age * DAY, state=State.FAILED) for age in (6, 7))
    assert actions(plan([young, old])) == {young.id: "keep", old.id: "expire"}


def test_a_failed_point_counts_its_days_from_the_end_of_its_attempt() -> None:
    tried_again = point(NOW - 30 * DAY, state=State.FAILED, since=NOW - DAY)
    assert actions(plan([tried_again]))[tried_again.id] == "keep"


def test_a_marked_point_waits_for_its_grace_period() -> None:
    newer = point("2026-06-30T02")
    young, old = (expiring("2026-05-29", NOW - age * timedelta(hours=1)) for age in (23, 24))
    month = point("2026-05-31")
    assert [actions(plan([it, newer, month]))[it.id] for it in (young, old)] == ["wait", "delete"]


def test_a_marked_point_that_is_wanted_again_is_taken_back() -> None:
    marked = expiring("2026-05-30", NOW - 2 * DAY)
    retention_plan = plan([marked, point("2026-05-31", state=State.FAILED), point("2026-06-30T02")])
    assert actions(retention_plan)[marked.id] == "take back"
    assert reasons_of(retention_plan)[marked.id] == ["weekly 2026-W22", "monthly 2026-05"]
    assert retention_plan.verdicts[marked.id] in retention_plan.kept


def test_a_marked_point_under_a_hold_is_taken_back_and_not_deleted() -> None:
    marked = expiring("2026-05-30", NOW - 2 * DAY, hold=hold())
    assert actions(plan([marked, point("2026-05-31")]))[marked.id] == "take back"


def test_a_point_that_has_lost_a_part_never_comes_back_and_stands_for_nothing() -> None:
    began = expiring("2026-05-31T04", NOW - 2 * DAY, deletion_began_at=NOW - DAY)
    retention_plan = plan([began, point("2026-05-30"), point("2026-06-30T02")])
    assert actions(retention_plan)[began.id] == "delete"
    assert reasons_of(retention_plan)["acme-daily-20260530"] == ["weekly 2026-W22", "monthly 2026-05"]


def test_a_hold_spares_what_a_begun_deletion_has_left() -> None:
    began = expiring("2026-05-29", NOW - 2 * DAY, deletion_began_at=NOW - DAY, hold=hold())
    assert actions(plan([began, point("2026-05-31")]))[began.id] == "wait"


def test_a_tombstone_that_still_lies_among_the_points_is_cleared_away() -> None:
    dead = point("2026-05-29", state=State.EXPIRED, hold=hold())
    assert actions(plan([dead, point(NOW)]))[dead.id] == "delete"


def test_a_hold_outlives_the_tenant() -> None:
    held, other = point("2026-06-01", hold=hold()), point("2026-06-02")
    over = plan([held, other], NOW + DAY, offboarding=offboarding("2026-06-30"))
    assert actions(over) == {held.id: "keep", other.id: "expire"}
