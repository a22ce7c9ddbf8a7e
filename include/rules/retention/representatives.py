"""Who stands for a day, a week, a month or a year: the tiers of a retention policy.

A period is lost only when nothing good is left of it: where its daily points have failed, points of other kinds stand
in, the best that there is. The rules are those of docs/retention.md; none depends on the order of the points.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import IntEnum

from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.periods import DAY, MONTH, WEEK, YEAR, Window
from include.rules.retention.reasons import FOR_EVER, Reason, Reasons
from include.rules.retention.timeline import TimelinePoint

NO_DAILY = " (no daily point)"
"""Follows the period in the reason of a point that is no daily one and stands for it all the same."""


class Standing(IntEnum):
    """How well a point stands for a period, the greater the better; within one of these the newest stands for it.

    An hourly point has the database only, so that a pending daily one stays beside it.
    """

    PENDING_DAILY = 1
    HALF_RESTORED = 2
    HOURLY = 3
    MANUAL = 4
    DAILY = 5


OF_KIND = {
    Kind.DAILY: Standing.DAILY,
    Kind.IMPORTED: Standing.DAILY,
    Kind.MANUAL: Standing.MANUAL,
    Kind.HOURLY: Standing.HOURLY,
}
"""How well a verified point of a kind stands for a period; safety points show what a restore was to mend."""


def windows(policy: RetentionPolicy) -> tuple[Window, ...]:
    """The tiers of a policy that are not empty, the finest first; a tier of 0 has no current period either."""
    earlier = [(DAY, policy.daily - 1), (WEEK, policy.weekly), (MONTH, policy.monthly)]
    nonempty = [Window(unit, before) for unit, before in earlier if before > (-1 if unit is DAY else 0)]
    if policy.yearly:
        nonempty.append(Window(YEAR, None if policy.yearly == "all" else policy.yearly))
    return tuple(nonempty)


def tiers(
    ranked: Iterable[TimelinePoint], by_id: Mapping[str, TimelinePoint], policy: RetentionPolicy, now: datetime
) -> Reasons:
    """Of every period inside a window, the point that stands for it.

    Args:
        ranked: Points by their `rank`, the best last, as `eligible` gives them.
        by_id: All points of the tenant, to see whether an hourly one can be restored.
    """
    by_standing = defaultdict[Standing, list[TimelinePoint]](list)
    for point in ranked:
        standing = _standing(point, by_id)
        if standing:
            by_standing[standing].append(point)
    for window in windows(policy):
        unit, start = window.unit, window.start(now)
        best, pending = dict[int, TimelinePoint](), dict[int, TimelinePoint]()
        for standing in Standing:
            if standing is Standing.HOURLY:
                pending = {number: p for number, p in best.items() if p.effective_state is State.PENDING}
            best |= {unit.number(p.time): p for p in by_standing[standing] if p.time >= start}
        current = unit.number(now)
        for number in sorted(best):
            until, firm = window.leaves_on(number) or FOR_EVER, number < current
            point = best[number]
            stands_in = "" if OF_KIND[point.kind] is Standing.DAILY else NO_DAILY
            yield point, Reason(unit.name(number) + stands_in, until, firm)
            if point.kind is Kind.HOURLY and number in pending:
                yield pending[number], Reason(unit.name(number), until, firm)


def _standing(point: TimelinePoint, by_id: Mapping[str, TimelinePoint]) -> Standing | None:
    """How well the point stands for its periods; None when it never does."""
    standing = OF_KIND.get(point.kind)
    if standing is None:
        return None
    if point.effective_state is not State.VERIFIED:
        return Standing.PENDING_DAILY if standing is Standing.DAILY else None
    if point.half_restored:
        return Standing.HALF_RESTORED if standing is not Standing.HOURLY else None
    return standing if not point.needs or can_be_restored(point, by_id) else None


def can_be_restored(point: TimelinePoint, by_id: Mapping[str, TimelinePoint]) -> bool:
    """True when every point that it needs, and what those need, is verified and not being deleted."""
    seen, open_cases = set[str](), list(point.needs)
    while open_cases:
        name = open_cases.pop()
        base = by_id.get(name)
        if base is None or base.effective_state is not State.VERIFIED:
            return False
        if name not in seen:
            seen.add(name)
            open_cases += base.needs
    return True
