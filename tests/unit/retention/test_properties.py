"""What holds for every timeline; `make properties` asks it of 2,000 of them."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from include.rules.points.manifest import Expiry
from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.register.register import Register
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.fleet import plan_fleet
from include.rules.retention.plan import Action, Circumstances, RetentionPlan, plan_retention
from include.rules.retention.reasons import CLOCK_SKEW
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
    """Points of acme of every kind; an hourly one may need the newest verified daily one before it."""
    points: list[TimelinePoint] = []
    for number, age in enumerate(sorted(draw(st.lists(ages, max_size=60)), reverse=True)):
        kind, time = draw(st.sampled_from(Kind)), NOW - timedelta(minutes=age)
        bases = [it.id for it in points if it.kind is Kind.DAILY and it.state is State.VERIFIED]
        needs = tuple(bases[-1:]) if kind is Kind.HOURLY and draw(st.booleans()) else ()
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
@given(points=timelines(), policy=policies, later=ages)
def test_whatever_a_later_run_keeps_an_earlier_one_has_kept(
    points: list[TimelinePoint], policy: RetentionPolicy, later: int
) -> None:
    """Nothing is lost early. The later run sees all points, the earlier one those that were there by then."""
    then = NOW - timedelta(minutes=abs(later))
    there = [it for it in points if it.time <= then]
    assert kept(plan(points, policy)) & {it.id for it in there} <= kept(plan(there, policy, then))


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
