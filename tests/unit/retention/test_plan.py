"""Retention's plan: which point stays, why, and what becomes of the others."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.plan import Action
from include.rules.retention.reasons import FOR_EVER, eligible, last_verified, rank
from include.rules.retention.timeline import TimelinePoint
from tests.unit.builders import running
from tests.unit.retention.timelines import DAY, NOW, actions, days, hold, moment, offboarding, plan, point, reasons_of


def test_a_kept_point_says_on_which_day_its_last_reason_ends() -> None:
    verdicts = plan(days("2026-06-30T02", 400)).verdicts
    assert verdicts["acme-daily-20260610"].until == date(2026, 7, 9), "30 days with the tenth of June itself"
    assert verdicts["acme-daily-20260607"].until == date(2026, 8, 30), "a Sunday: twelve weeks after its own"
    assert verdicts["acme-daily-20260531"].until == date(2027, 5, 31), "the end of May: twelve months after its own"
    assert verdicts["acme-daily-20251231"].until == FOR_EVER


def test_what_a_newer_point_may_take_over_is_no_firm_reason() -> None:
    newest = plan(days("2026-06-30T02", 3)).verdicts["acme-daily-20260630"]
    assert [reason.firm for reason in newest.reasons] == [False] * 5
    assert newest.until is None


def test_a_policy_may_limit_the_years() -> None:
    points = [point(f"{year}-12-31") for year in range(2020, 2026)] + [point(NOW)]
    kept = {verdict.point.time.year for verdict in plan(points, policy=RetentionPolicy(yearly=2)).kept}
    assert kept == {2024, 2025, 2026}


def test_a_tier_of_zero_keeps_nothing() -> None:
    only_daily = RetentionPolicy(daily=3, weekly=0, monthly=0, yearly=0)
    assert len(plan(days("2026-06-30T02", 50), policy=only_daily).kept) == 3


def test_a_point_just_after_midnight_by_another_clock_takes_nothing_from_the_day_before() -> None:
    ahead = plan([point("2026-06-30T02"), point("2026-07-01T00:02")], moment("2026-06-30T23:58"))
    assert "daily 2026-06-30" in reasons_of(ahead)["acme-daily-20260630"]
    assert "daily 2026-07-01" in reasons_of(ahead)["acme-daily-20260701"]


def test_hourly_points_are_a_pool_of_their_own() -> None:
    hourly = [point(NOW - timedelta(hours=age), Kind.HOURLY) for age in range(60)]
    retention_plan = plan([*hourly, *days("2026-06-30T02", 4)])
    assert [v.point.time for v in retention_plan.to(Action.EXPIRE)] == [
        NOW - timedelta(hours=age) for age in range(48, 60)
    ]
    assert reasons_of(retention_plan)["acme-hourly-20260629T06"] == ["hourly, younger than 48 hours"]
    assert "daily 2026-06-30" in reasons_of(retention_plan)["acme-daily-20260630"], (
        "later hourly points do not stand for the day"
    )


def test_the_full_backup_that_a_kept_hourly_point_needs_is_kept_as_long() -> None:
    full, better = point("2026-06-29T02", id="full"), point("2026-06-29T04", id="better")
    needy = point("2026-06-29T03", Kind.HOURLY, needs=("full",))
    retention_plan = plan([full, better, needy, point("2026-06-30T02")])
    assert reasons_of(retention_plan)["full"] == ["needed by acme-hourly-20260629T03"]
    assert retention_plan.verdicts["full"].until == date(2026, 6, 30), "at three in the morning of 1 July it goes"
    assert actions(plan([full, better, needy], moment("2026-07-01T03")))["full"] == "expire"


def test_a_chain_is_kept_from_its_end_to_its_beginning() -> None:
    chain = [point(f"2026-06-0{day}", Kind.HOURLY, id=f"p{day}", needs=(f"p{day - 1}",)) for day in (2, 3, 4)]
    full = point("2026-06-01", id="p1")
    full_of_the_day = point("2026-06-01T04", id="better")
    user = point("2026-06-30T05", Kind.HOURLY, needs=("p4", "gone"))
    retention_plan = plan([full, full_of_the_day, *chain, user])
    assert {name for name, action in actions(retention_plan).items() if action == "keep"} == {
        "p1", "p2", "p3", "p4", "better", user.id
    }  # fmt: skip


def test_safety_points_stay_fourteen_days() -> None:
    young, old = (point(NOW - age * DAY, Kind.SAFETY) for age in (13, 14))
    retention_plan = plan([young, old, point(NOW)])
    assert reasons_of(retention_plan)[young.id] == ["safety, younger than 14 days"]
    assert actions(retention_plan)[old.id] == "expire"


def test_a_safety_point_is_the_last_verified_one_only_where_there_is_no_other() -> None:
    safety, daily = point("2026-06-20", Kind.SAFETY), point("2025-03-01")
    only_days = RetentionPolicy(weekly=0, monthly=0, yearly=0)
    assert reasons_of(plan([safety, daily], policy=only_days))[daily.id] == ["last verified"]
    assert "last verified" in reasons_of(plan([safety]))[safety.id]


def test_the_last_verified_point_stays_whatever_its_age_and_kind() -> None:
    manual = [point(f"2026-05-{day:02d}", Kind.MANUAL) for day in range(1, 13)]
    newer = [point(f"2026-06-{day:02d}", Kind.HOURLY, State.PENDING) for day in range(1, 12)]
    only_days = RetentionPolicy(weekly=0, monthly=0, yearly=0)
    assert "last verified" in reasons_of(plan([*manual, *newer], policy=only_days))[manual[-1].id]


def test_a_tenant_that_has_left_keeps_its_last_point_until_the_day_that_is_recorded() -> None:
    points = days("2026-06-01T02", 3)
    until = plan(points, offboarding=offboarding("2026-06-30"))
    assert until.verdicts["acme-daily-20260601"].reasons[-1] == ("last verified", date(2026, 6, 30), True)
    over = plan(points, NOW + DAY, offboarding=offboarding("2026-06-30"))
    assert set(actions(over).values()) == {"expire"}


def test_points_of_two_tenants_are_never_planned_together() -> None:
    with pytest.raises(ValueError, match=r"tenant acme was asked for with points of other tenants: acme-2-daily-"):
        plan([point(NOW), point(NOW, tenant="acme-2")])


def test_a_point_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="a recovery point that stands twice"):
        plan([point(NOW), point(NOW)])


def test_the_fingerprint_is_of_what_goes_and_of_nothing_else() -> None:
    before = days("2026-06-30T02", 40)
    approved = plan(before)
    newer = point("2026-06-30T09", Kind.MANUAL)
    assert plan([*before, newer]).fingerprint == approved.fingerprint, "a new backup does not void an approval"
    expiring_point = approved.to(Action.EXPIRE)[0].point
    kept = [it for it in before if it.id != expiring_point.id] + [point(expiring_point.time, hold=hold())]
    assert plan(kept).fingerprint != approved.fingerprint


def test_a_manifest_becomes_a_point_with_times_in_utc() -> None:
    manifest = running()
    it = TimelinePoint.of(manifest, needs=["acme-daily-20261122"])
    assert (it.id, it.time, it.needs) == (manifest.id, manifest.opened_at, ("acme-daily-20261122",))
    elsewhere = manifest.model_copy(update={"time": datetime.fromisoformat("2026-11-23T00:30+02:00")})
    assert TimelinePoint.of(elsewhere).time == datetime(2026, 11, 22, 22, 30, tzinfo=UTC)
    assert TimelinePoint.of(elsewhere).time.date() == date(2026, 11, 22)


def test_the_last_verified_point_follows_from_ranks_alone() -> None:
    half: dict[str, Any] = {"half_restored": "acme-restore-1"}
    day = point("2026-06-28T02")
    older_day = point("2026-06-27T02")
    safety = point("2026-06-29T02", Kind.SAFETY)
    half_day = point("2026-06-30T02", **half)
    half_safety = point("2026-06-30T03", Kind.SAFETY, **half)
    pending = point("2026-06-30T04", state=State.PENDING)
    best_first = [safety, day, older_day, half_safety, half_day, pending]
    assert sorted(best_first, key=rank, reverse=True) == best_first
    for given in itertools.permutations(best_first):
        assert last_verified(eligible(given, NOW)) == day
    for given in itertools.permutations([half_safety, half_day, pending]):
        assert last_verified(eligible(given, NOW)) == half_day
    assert last_verified(eligible([half_day, safety], NOW)) == safety
    assert last_verified(eligible([half_safety, pending], NOW)) == half_safety
    assert last_verified(eligible([pending], NOW)) is None


def test_a_moment_that_names_no_zone_is_refused() -> None:
    naive = NOW.replace(tzinfo=None)
    with pytest.raises(ValueError, match="2026-06-30T06:00:00 names no zone"):
        plan(days("2026-06-30T02", 3), naive)
    with pytest.raises(ValueError, match="names no zone"):
        point(naive)
    with pytest.raises(ValueError, match="names no zone"):
        point(NOW, since=naive)


@pytest.mark.parametrize("hours", [-12, 5, 14])
def test_a_hold_and_an_offboarding_end_with_their_day_in_utc(hours: int) -> None:
    elsewhere = timezone(timedelta(hours=hours))
    last = moment("2026-06-30T23").astimezone(elsewhere)
    held = [point("2020-05-05", hold=hold("2026-06-30")), point("2020-12-31")]
    assert actions(plan(held, last))[held[0].id] == "keep"
    assert actions(plan(held, last + timedelta(hours=1)))[held[0].id] == "expire"
    left = plan(days("2026-06-01T02", 3), last, offboarding=offboarding("2026-06-30"))
    assert left.verdicts["acme-daily-20260601"].action == "keep"
    over = plan(days("2026-06-01T02", 3), last + timedelta(hours=1), offboarding=offboarding("2026-06-30"))
    assert set(actions(over).values()) == {"expire"}


@pytest.mark.parametrize(
    ("now", "policy"),
    [
        ("2026-06-30T23:58", {"daily": 1, "weekly": 0, "monthly": 0, "yearly": 0}),
        ("2026-06-28T23:56", {"daily": 0, "weekly": 1, "monthly": 0, "yearly": 0}),
        ("2028-02-29T23:56", {"daily": 0, "weekly": 0, "monthly": 1, "yearly": 0}),
        ("2026-12-31T23:58", {"daily": 0, "weekly": 0, "monthly": 0, "yearly": 1}),
        ("2021-01-03T23:58", {"daily": 0, "weekly": 1, "monthly": 0, "yearly": 0}),
    ],
)
def test_at_every_boundary_a_point_of_the_next_period_takes_nothing_from_the_one_that_is_ending(
    now: str, policy: dict[str, Any]
) -> None:
    at = moment(now)
    old, new = point(at.replace(hour=2)), point((at + timedelta(minutes=5)).replace(minute=1))
    retention_plan = plan([old, new], at, RetentionPolicy(**policy))
    assert set(actions(retention_plan).values()) == {"keep"}
    assert len(reasons_of(retention_plan)[old.id]) == 1


def test_a_base_is_kept_until_the_last_one_that_leads_to_it_goes() -> None:
    """Also along a chain, whose middle nothing keeps but its end."""
    full, log = point("2026-05-31T01", Kind.HOURLY, id="full"), point("2026-05-31T05", Kind.HOURLY, needs=("full",))
    end = point("2026-05-31T09", Kind.HOURLY, needs=(log.id,))
    verdicts = plan([full, log, end, point("2026-06-30T02")]).verdicts
    assert [verdicts[it.id].until for it in (end, log, full)] == [date(2027, 5, 31)] * 3
