"""What a backup by hand costs: the points that will expire for it, by the rules that let them expire."""

from __future__ import annotations

from datetime import timedelta

from include.rules.points.manifest import Manifest
from include.rules.points.requests import BackupRequest
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.outlook import describe_displaced, describe_fate, displaced_by
from tests.unit.builders import NOW, verified
from tests.unit.retention.timelines import hold

REQUEST = BackupRequest.parse(f"acme|manual|{NOW.isoformat()}")
TWO = RetentionPolicy(manual=2)


def manual(age: float, **changes: object) -> Manifest:
    time = NOW - timedelta(days=age)
    point = verified(f"acme|manual|{time.isoformat()}", time)
    return point.model_copy(update={"time": time, "closed_at": time, **changes})


def daily(age: float) -> Manifest:
    time = NOW - timedelta(days=age)
    return verified(f"acme|daily|{time.isoformat()}", time).model_copy(update={"time": time})


def test_where_there_is_a_place_left_nothing_goes() -> None:
    assert displaced_by(REQUEST, [manual(1)], TWO, NOW) == ()
    assert describe_displaced((), TWO) == ""


def test_the_oldest_one_that_stands_for_nothing_else_goes() -> None:
    points = [manual(40), manual(41), daily(40), daily(41), daily(31), daily(0.1)]
    displaced = displaced_by(REQUEST, points, TWO, NOW)
    assert displaced == (points[1].id,)
    assert describe_displaced(displaced, TWO) == (
        f"Once this one is verified, {points[1].id} will expire: the plan keeps 2 manual points. "
        "`hold_recovery_point` keeps one all the same."
    )


def test_one_that_cannot_be_restored_goes_before_one_that_can() -> None:
    points = [manual(41), manual(40, state=State.PENDING), daily(41), daily(40), daily(31), daily(0.1)]
    assert displaced_by(REQUEST, points, TWO, NOW) == (points[1].id,)


def test_a_held_one_and_one_that_stands_for_its_day_stay() -> None:
    held, only_of_its_day = manual(41, hold=hold()), manual(20)
    assert displaced_by(REQUEST, [held, only_of_its_day, manual(10), daily(0.1)], TWO, NOW) == ()


def test_the_request_s_own_earlier_attempt_is_no_rival() -> None:
    own = manual(0, state=State.PENDING)
    assert own.id == REQUEST.recovery_point_id
    assert displaced_by(REQUEST, [own, manual(1)], TWO, NOW) == ()


def test_who_restores_a_point_reads_how_long_it_stays() -> None:
    points = [daily(31), daily(40), daily(5), daily(0.1)]
    kept, going = points[2], points[1]
    assert describe_fate(kept.id, "acme", points, TWO, NOW).startswith(f"Retention: {kept.id}: kept until 2027-02-14: ")
    assert describe_fate(going.id, "acme", points, RetentionPolicy(weekly=0, monthly=0, yearly=0), NOW).endswith(
        "daily 2026-10-14 has left its window. `hold_recovery_point` keeps it."
    )
    assert describe_fate("acme-daily-gone", "acme", points, TWO, NOW) == ""
