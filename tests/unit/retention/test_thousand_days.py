"""Retention over years, with backups that fail and outages: nobody is asked but about a changed policy."""

from __future__ import annotations

import pytest

from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.objections import Guard
from include.rules.retention.timeline import TimelinePoint
from tests.unit.retention.simulation import START, SimulatedTenant
from tests.unit.retention.timelines import DAY, point

DAYS = 1300
NARROW = RetentionPolicy(daily=7)
SEEDS = [pytest.param(seed, marks=[pytest.mark.sweep] if seed > 1 else []) for seed in range(1, 13)]


@pytest.mark.parametrize("hourly", [False, True], ids=["daily", "hourly"])
@pytest.mark.parametrize("seed", SEEDS)
def test_failed_days_outages_and_backups_by_hand_ask_nobody_and_stop_nothing_for_good(seed: int, hourly: bool) -> None:
    acme = SimulatedTenant(seed=seed, hourly=hourly)
    acme.live(0, DAYS)
    assert {guard for guards in acme.objections.values() for guard in guards} == {Guard.STALE}
    acme.live(DAYS, 5, failing=0, outages=False)
    assert not [number for number in acme.objections if number >= DAYS], "the first good backup lets it go on"
    assert len(acme.points) < 300, "and what was superfluous has gone"


def test_an_outage_of_the_whole_month_is_followed_by_an_ordinary_run() -> None:
    """STALE hands over, and nobody has to come."""
    acme = SimulatedTenant()
    acme.live(0, 200, failing=0, outages=False)
    acme.live(200, 20, failing=1, outages=False)
    assert acme.days_of(Guard.STALE)[-1] == 219
    acme.live(220, 2, failing=0, outages=False)
    assert acme.days_of(Guard.STALE)[-1] == 219
    assert acme.days_of(Guard.MAX_DELETE) == []


def test_a_tenant_that_was_suspended_goes_on_where_it_was() -> None:
    acme = SimulatedTenant(hourly=True)
    acme.live(0, 100, failing=0, outages=False)
    acme.suspended = True
    acme.live(100, 20)
    acme.suspended = False
    acme.live(120, 5, failing=0, outages=False)
    assert {guard for guards in acme.objections.values() for guard in guards} == {Guard.STALE}
    assert not [number for number in acme.objections if number >= 120]


@pytest.mark.parametrize("recorded", [True, False], ids=["with its record", "before there is a record"])
def test_a_narrowed_policy_is_asked_about_on_every_day_until_somebody_approves(recorded: bool) -> None:
    acme = SimulatedTenant()
    acme.live(0, 120, failing=0, outages=False)
    acme.policy = NARROW
    if not recorded:
        acme.applied = None
    acme.live(120, 10, failing=0, outages=False)
    assert acme.days_of(Guard.MAX_DELETE) == list(range(120, 130))
    before = len(acme.points)
    acme.points.append(_backup(130))
    assert acme.retain(130, approving=[Guard.MAX_DELETE]) == []
    assert sum(it.state is State.EXPIRING for it in acme.points) > 20
    acme.live(131, 30, failing=0, outages=False)
    assert acme.days_of(Guard.MAX_DELETE) == list(range(120, 130)), "asked and answered"
    assert len(acme.points) < before - 20


def test_a_policy_that_was_changed_while_the_tenant_was_stale_is_asked_about_afterwards() -> None:
    acme = SimulatedTenant()
    acme.live(0, 120, failing=0, outages=False)
    acme.live(120, 5, failing=1, outages=False)
    acme.policy = NARROW
    acme.live(125, 5, failing=1, outages=False)
    assert acme.days_of(Guard.MAX_DELETE) == []
    acme.live(130, 2, failing=0, outages=False)
    assert acme.days_of(Guard.MAX_DELETE) == [130, 131]


def test_a_policy_that_was_changed_and_changed_back_unanswered_has_changed_nothing() -> None:
    acme = SimulatedTenant()
    acme.live(0, 120, failing=0, outages=False)
    wide, acme.policy = acme.policy, NARROW
    acme.live(120, 3, failing=0, outages=False)
    acme.policy = wide
    acme.live(123, 3, failing=0, outages=False)
    assert acme.days_of(Guard.MAX_DELETE) == [120, 121, 122]


def test_a_crash_between_the_act_and_its_record_asks_about_what_is_left_to_do() -> None:
    acme = SimulatedTenant()
    acme.live(0, 120, failing=0, outages=False)
    acme.policy, before = NARROW, acme.applied
    acme.points.append(_backup(120))
    acme.retain(120, approving=[Guard.MAX_DELETE])
    acme.applied = before  # all was marked, and then the triggerer died
    acme.live(121, 1, failing=0, outages=False)
    assert acme.objections == {}, "what is marked was approved; the one point of the day is no more than may go"
    assert acme.applied
    assert acme.applied.policy == NARROW


def test_a_tenant_whose_plan_becomes_daily_loses_its_hourly_points_as_they_age() -> None:
    acme = SimulatedTenant(hourly=True)
    acme.live(0, 60, failing=0, outages=False)
    acme.hourly = False
    acme.live(60, 10, failing=0, outages=False)
    assert acme.objections == {}
    left = [it for it in acme.points if it.kind is Kind.HOURLY]
    assert len(left) < 5, "but for those that stand for a day whose daily point is not verified"


def _backup(number: int) -> TimelinePoint:
    """A daily backup of that day."""
    return point(START + number * DAY + DAY / 12)
