"""Why recovery points are kept: every rule gives its reasons, and a point may have many.

The rules are those of docs/retention.md. None of them depends on the order of the points.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import takewhile
from typing import NamedTuple

from include.rules.points.moments import last_whole_day, later
from include.rules.points.requests import Kind
from include.rules.points.transitions import WHOLE, State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.timeline import TimelinePoint

CLOCK_SKEW = timedelta(minutes=5)
"""How far ahead of this clock a point's time may be; Amazon's clock and ours differ by less."""
VERIFICATION_GRACE = timedelta(hours=48)
DIAGNOSIS_TIME = timedelta(days=7)
FOR_EVER = date.max


class Reason(NamedTuple):
    """One reason to keep a point.

    Attributes:
        text: The reason in words, for instance `weekly 2026-W27`.
        until: The last day (UTC) on which it can hold; `FOR_EVER` when the calendar does not end it.
        firm: False when something else than the calendar may end it sooner: a newer point, a verification, a person.
    """

    text: str
    until: date = FOR_EVER
    firm: bool = True


Reasons = Iterator[tuple[TimelinePoint, Reason]]


def rank(point: TimelinePoint) -> tuple[bool, bool, datetime, str]:
    """How well a point stands for a period, the greater the better: verified ones before all others, then those that do
    not show a half restored tenant, then by time, then by id. No two points are equal.
    """
    return point.effective_state is State.VERIFIED, point.half_restored is None, point.time, point.id


def eligible(points: Iterable[TimelinePoint], now: datetime) -> list[TimelinePoint]:
    """Points that are whole and not of the future, by their `rank`, the best last.

    Failed and running points, and those whose deletion has begun, never stand for anything.
    """
    latest = now + CLOCK_SKEW
    return sorted([point for point in points if point.effective_state in WHOLE and point.time <= latest], key=rank)


def manual_places(ranked: Sequence[TimelinePoint], policy: RetentionPolicy, now: datetime) -> Reasons:
    """Manual points of any age: those that can be restored take the places first, the newest before all; then those of
    a half restored tenant, then pending ones. A held point uses no place, nor does one that still awaits its
    verification: both stay without.

    Args:
        ranked: Points by their `rank`, the best last, as `eligible` gives them.
    """
    rivals = [
        point
        for point in reversed(ranked)
        if point.kind is Kind.MANUAL
        and not (point.hold and point.hold.is_active(now))
        and not awaits_verification(point, now)
    ]
    for place, point in enumerate(rivals[: policy.manual], start=1):
        yield point, Reason(f"manual {place} of {policy.manual}", firm=False)


def young(ranked: Iterable[TimelinePoint], policy: RetentionPolicy, now: datetime) -> Reasons:
    """Hourly and safety points: up to the age that the policy names."""
    ages = {Kind.HOURLY: timedelta(hours=policy.hourly_hours), Kind.SAFETY: timedelta(days=policy.safety_days)}
    for point in ranked:
        age = ages.get(point.kind)
        if age and now - point.time < age:
            limit = f"{policy.hourly_hours} hours" if point.kind is Kind.HOURLY else f"{policy.safety_days} days"
            yield point, Reason(f"{point.kind}, younger than {limit}", last_whole_day(later(point.time, age)))


def last_verified(ranked: Sequence[TimelinePoint]) -> TimelinePoint | None:
    """The newest verified point. One of a half restored tenant counts only where there is no other; so does a safety
    point: it shows what a restore was to mend, and says nothing of whether backups are being made.

    Args:
        ranked: Points by their `rank`, the best last, as `eligible` gives them.
    """
    if not ranked or ranked[-1].effective_state is not State.VERIFIED:
        return None
    best = ranked[-1]
    as_good = takewhile(lambda point: rank(point)[:2] == rank(best)[:2], reversed(ranked))
    return next((point for point in as_good if point.kind is not Kind.SAFETY), best)


def awaits_verification(point: TimelinePoint, now: datetime) -> bool:
    """True while a complete point has time to be verified."""
    return point.effective_state is State.PENDING and now - point.since < VERIFICATION_GRACE


def unsettled(points: Iterable[TimelinePoint], now: datetime) -> Reasons:
    """Points that are no plain backups (yet): awaiting verification, failed, running, or of the future."""
    latest = now + CLOCK_SKEW
    for point in points:
        if point.time > latest:
            yield point, Reason("timestamp in the future: check the clock", firm=False)
        if point.state is State.VERIFIED:
            continue
        effective_state = point.effective_state
        if awaits_verification(point, now):
            ends = later(point.since, VERIFICATION_GRACE)
            yield point, Reason("awaiting verification", last_whole_day(ends), firm=False)
        elif effective_state is State.FAILED and now - point.since < DIAGNOSIS_TIME:
            yield point, Reason("failed, kept for diagnosis", last_whole_day(later(point.since, DIAGNOSIS_TIME)))
        elif effective_state is State.RUNNING:
            yield point, Reason("running", firm=False)


def protected(
    points: Iterable[TimelinePoint], policy: RetentionPolicy, now: datetime, reading: Collection[str]
) -> Reasons:
    """Points that must not go whatever the policy keeps: under a hold, locked where they are stored, or being read."""
    locked = timedelta(days=policy.locked_days)
    for point in points:
        if point.hold and point.hold.is_active(now):
            yield point, Reason(f"on hold: {point.hold.reason} ({point.hold.author})", point.hold.until or FOR_EVER)
        if locked or point.locked_until:  # the plan may have changed since: what the store holds to counts as well
            by_plan = later(point.time, locked) if point.effective_state is State.VERIFIED else point.time
            ends = max(by_plan, point.locked_until or by_plan)
            if now < ends:
                yield point, Reason("locked where it is stored", last_whole_day(ends))
        if point.id in reading:
            yield point, Reason("a restore is reading it", firm=False)


def needed_by_half_restored(
    by_id: Mapping[str, TimelinePoint], unfinished: Mapping[str, str], unread: Sequence[str]
) -> Reasons:
    """Points that a restore which has left the tenant half restored came from, or that lead back from it; all points
    where nobody knows which.

    Args:
        unfinished: The restore's id by the point's id.
        unread: Ids of restores of which nobody knows what they have left.
    """
    for name, restore in unfinished.items():
        if name in by_id:
            yield by_id[name], Reason(f"restore {restore} is unfinished", firm=False)
    if unread:
        names = ", ".join(unread)
        for point in by_id.values():
            yield point, Reason(f"may be needed: the record of restore {names} cannot be read", firm=False)


def needed(by_id: dict[str, TimelinePoint], kept: dict[str, list[Reason]]) -> Reasons:
    """Points without which a kept one could not be restored, for as long as that one is kept."""
    users: dict[str, list[TimelinePoint]] = defaultdict(list)
    open_cases = [by_id[point] for point in kept if by_id[point].needs]
    for user in open_cases:  # grows: what is needed may need others in turn
        for base in (by_id[need] for need in user.needs if need in by_id):
            if base.id not in kept and base.id not in users and base.needs:
                open_cases.append(base)
            users[base.id].append(user)
    known = dict(kept)  # of what is needed along a chain, its own needs follow from this too
    for base in sorted((by_id[name] for name in users), key=lambda point: (point.time, point.id), reverse=True):
        of_base = users[base.id]  # newer than their base, so that their own reasons are known by now
        newest = max(of_base, key=lambda point: (point.time, point.id))
        others = f" and {len(of_base) - 1} more" if len(of_base) > 1 else ""
        theirs = [reason for user in of_base for reason in known.get(user.id, ())]
        until = max((reason.until for reason in theirs), default=FOR_EVER)
        reason = Reason(f"needed by {newest.id}{others}", until, firm=bool(theirs) and all(it.firm for it in theirs))
        known[base.id] = [*known.get(base.id, ()), reason]
        yield base, reason
