"""What holds for every timeline; `make properties` asks it of 2,000 of them."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from include.rules.points.manifest import Expiry
from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.register.register import Register
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.explanations import explain
from include.rules.retention.fleet import plan_fleet
from include.rules.retention.plan import Action, Circumstances, RetentionPlan, plan_retention
from include.rules.retention.reasons import CLOCK_SKEW, FOR_EVER
from include.rules.retention.representatives import NO_DAILY, can_be_restored, windows
from include.rules.retention.timeline import TimelinePoint
from tests.unit.builders import tenant
from tests.unit.retention.timelines import NOW, hold, offboarding, point

MINUTES_OF_FOUR_YEARS = 4 * 366 * 24 * 60
WHOLE = (State.VERIFIED, State.PENDING)

patient = settings(deadline=None)
"""A busy machine is no counterexample."""

ages = st.one_of(
    st.integers(-60, 3 * 24 * 60),  # a few minutes of the future, and the days in which kinds and states differ
    st.integers(0, 60 * 24 * 60),
    st.integers(0, MINUTES_OF_FOUR_YEARS),
)
policies = st.builds(
    RetentionPolicy,
    daily=st.integers(1, 40),
    weekly=st.integers(0, 15),
    monthly=st.integers(0, 15),
    yearly=st.one_of(st.just("all"), st.integers(0, 4)),
    manual=st.integers(1, 4),
    hourly_hours=st.integers(1, 72),
    safety_days=st.integers(1, 20),
    locked_days=st.integers(0, 20),
)


@st.composite
def timelines(draw: st.DrawFn, states: tuple[State, ...] = (*WHOLE, State.FAILED)) -> list[TimelinePoint]:
    """Points of acme of every kind; an hourly one may need the newest verified daily one before it, or the hourly one
    of the hour before it, whatever that is worth.
    """
    points: list[TimelinePoint] = []
    for number, age in enumerate(sorted(draw(st.lists(ages, max_size=60)), reverse=True)):
        kind, time = draw(st.sampled_from(Kind)), NOW - timedelta(minutes=age)
        bases = [it.id for it in points if it.kind is Kind.DAILY and it.state is State.VERIFIED]
        hourly = [it.id for it in points if it.kind is Kind.HOURLY and time - it.time < timedelta(hours=1)]
        choices = [(), tuple(bases[-1:]), tuple(hourly[-1:])] if kind is Kind.HOURLY else [()]
        needs = draw(st.sampled_from(choices))
        held = hold() if draw(st.integers(0, 15)) == 0 else None
        state = draw(st.sampled_from(states))
        half = "acme-restore-1" if draw(st.integers(0, 5)) == 0 else None
        points.append(point(time, kind, state, id=f"acme-{kind}-{number}", hold=held, half_restored=half, needs=needs))
    return points


def plan(points: list[TimelinePoint], policy: RetentionPolicy, now: datetime = NOW) -> RetentionPlan:
    return plan_retention("acme", points, policy, now)


def kept(planned: RetentionPlan) -> set[str]:
    return {verdict.point.id for verdict in planned.kept}


@patient
@given(points=timelines(), policy=policies)
def test_a_plan_of_what_was_kept_keeps_all_of_it(points: list[TimelinePoint], policy: RetentionPolicy) -> None:
    first = kept(plan(points, policy))
    assert kept(plan([it for it in points if it.id in first], policy)) == first


@patient
@given(points=timelines(), policy=policies, seed=st.integers())
def test_the_order_of_the_points_does_not_matter(
    points: list[TimelinePoint], policy: RetentionPolicy, seed: int
) -> None:
    shuffled = list(points)
    random.Random(seed).shuffle(shuffled)  # noqa: S311
    assert plan(shuffled, policy).verdicts == plan(points, policy).verdicts


@patient
@given(points=timelines(), policy=policies, later=ages, skew=st.sampled_from([timedelta(0), CLOCK_SKEW]))
def test_whatever_a_later_run_keeps_an_earlier_one_has_kept(
    points: list[TimelinePoint], policy: RetentionPolicy, later: int, skew: timedelta
) -> None:
    """Nothing is lost early. The later run sees all points, the earlier one those that were there by then: by the clock
    of Amazon, which may be ahead.
    """
    then = NOW - timedelta(minutes=abs(later))
    there = [it for it in points if it.time <= then + skew]
    assert kept(plan(points, policy)) & {it.id for it in there} <= kept(plan(there, policy, then))


@patient
@given(points=timelines(), policy=policies)
def test_no_period_vanishes_while_a_good_point_of_it_exists(
    points: list[TimelinePoint], policy: RetentionPolicy
) -> None:
    planned, by_id = plan(points, policy), {it.id: it for it in points}
    good = {
        it.id
        for it in points
        if it.state is State.VERIFIED
        and not it.half_restored
        and it.kind is not Kind.SAFETY
        and it.time <= NOW + CLOCK_SKEW
        and can_be_restored(it, by_id)
    }
    stands = {r.text.removesuffix(NO_DAILY) for it in planned.kept for r in it.reasons if it.point.id in good}
    for window in windows(policy):
        times = [by_id[name].time for name in good]
        assert {window.unit.name(window.unit.number(it)) for it in times if it >= window.start(NOW)} <= stands


@patient
@given(points=timelines(), policy=policies, offset=st.integers(-14 * 60, 14 * 60), then=ages)
def test_the_zone_of_now_and_of_the_points_does_not_matter(
    points: list[TimelinePoint], policy: RetentionPolicy, offset: int, then: int
) -> None:
    zone, now = timezone(timedelta(minutes=offset)), NOW - timedelta(minutes=then)
    elsewhere = [replace(it, time=it.time.astimezone(zone), since=it.since.astimezone(zone)) for it in points]
    there = plan(elsewhere, policy, now.astimezone(zone))
    assert there == plan(points, policy, now)
    assert explain(there) == explain(plan(points, policy, now))


@patient
@given(points=timelines(), policy=policies)
def test_what_is_kept_until_a_day_is_there_at_its_last_moment_and_gone_a_day_later(
    points: list[TimelinePoint], policy: RetentionPolicy
) -> None:
    moment = timedelta(microseconds=1)
    for verdict in plan(points, policy).kept:
        until = verdict.until
        if until is None or until == FOR_EVER or not all(reason.firm for reason in verdict.reasons):
            continue
        midnight = datetime(until.year, until.month, until.day, tzinfo=UTC) + timedelta(days=1)
        assert midnight <= NOW or verdict.point.id in kept(plan(points, policy, midnight - moment))
        assert verdict.point.id not in kept(plan(points, policy, midnight + timedelta(days=1) - moment))


@patient
@given(points=timelines(), policy=policies)
def test_a_manual_point_that_can_be_restored_makes_way_for_its_like_alone(
    points: list[TimelinePoint], policy: RetentionPolicy
) -> None:
    def is_good(it: TimelinePoint) -> bool:
        return it.kind is Kind.MANUAL and it.state is State.VERIFIED and not it.half_restored and not it.hold

    for verdict in plan(points, policy).to(Action.EXPIRE):
        it = verdict.point
        if is_good(it):
            assert (
                sum(is_good(other) and other.time >= it.time and other.id != it.id for other in points) >= policy.manual
            )


@patient
@given(points=timelines(), policy=policies)
def test_the_last_verified_point_stays(points: list[TimelinePoint], policy: RetentionPolicy) -> None:
    verified_points = [it for it in points if it.state is State.VERIFIED and it.time <= NOW + CLOCK_SKEW]
    if verified_points:
        last = max(
            verified_points, key=lambda it: (it.half_restored is None, it.kind is not Kind.SAFETY, it.time, it.id)
        )
        assert last.id in kept(plan(points, policy))


@patient
@given(points=timelines((*WHOLE, State.FAILED, State.RUNNING)), policy=policies, gone=st.booleans())
def test_a_held_point_stays(points: list[TimelinePoint], policy: RetentionPolicy, gone: bool) -> None:
    around = Circumstances(offboarding=offboarding("2026-06-29") if gone else None)
    planned = plan_retention("acme", points, policy, NOW, around)
    takes_away = {verdict.point.id for verdict in planned.to(Action.EXPIRE, Action.DELETE)}
    assert not takes_away & {it.id for it in points if it.hold}


@patient
@given(points=timelines(), policy=policies)
def test_a_kept_point_keeps_what_it_needs(points: list[TimelinePoint], policy: RetentionPolicy) -> None:
    stays = kept(plan(points, policy))
    assert {need for it in points if it.id in stays for need in it.needs} <= stays


@patient
@given(points=timelines(), others=timelines(), policy=policies)
def test_one_tenants_plan_never_depends_on_anothers_points(
    points: list[TimelinePoint], others: list[TimelinePoint], policy: RetentionPolicy
) -> None:
    acme = tenant("acme")
    plans = acme.plan.model_copy(update={"retention": policy})
    register = Register({name: acme.model_copy(update={"id": name, "plan": plans}) for name in ("acme", "acme-daily")})
    neighbours = [
        TimelinePoint(it.id.replace("acme", "acme-daily"), "acme-daily", it.kind, it.state, it.time, it.since)
        for it in others
    ]
    fleet = plan_fleet([*neighbours, *points], register, NOW, last_run=None)
    if points:
        assert fleet.plans["acme"].verdicts == plan(points, policy).verdicts


@patient
@given(points=timelines(), policy=policies)
def test_a_point_that_was_marked_is_not_wanted_again_the_same_day(
    points: list[TimelinePoint], policy: RetentionPolicy
) -> None:
    """Marking is no decision that the next run takes back: otherwise points would swing between the two for ever."""
    expires = {verdict.point.id for verdict in plan(points, policy).to(Action.EXPIRE)}
    marked = [
        TimelinePoint(
            it.id, it.tenant, it.kind, State.EXPIRING, it.time, it.since,
            hold=it.hold, half_restored=it.half_restored, needs=it.needs,
            expiry=Expiry(marked_at=NOW, previous_state=it.state),
        )
        if it.id in expires
        else it
        for it in points
    ]  # fmt: skip
    for hours, action in ((1, Action.WAIT), (policy.grace_hours, Action.DELETE)):
        again = plan(marked, policy, NOW + timedelta(hours=hours))
        assert {again.verdicts[name].action for name in expires} <= {action}
