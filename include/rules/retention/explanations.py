"""A retention plan in words: one line for every recovery point, the newest first."""

from __future__ import annotations

from datetime import date, timedelta

from include.rules.points.moments import later
from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.retention.plan import Action, RetentionPlan, Verdict
from include.rules.retention.reasons import FOR_EVER
from include.rules.retention.representatives import NO_DAILY, OF_KIND, Standing, windows
from include.rules.retention.timeline import TimelinePoint


def explain(plan: RetentionPlan) -> tuple[str, ...]:
    """What becomes of every point and why, for instance `acme-daily-20260531: kept until 2027-05-31: weekly 2026-W22
    (until 2026-08-23), monthly 2026-05`.
    """
    best = {reason.text.removesuffix(NO_DAILY): verdict.point.id for verdict in plan.kept for reason in verdict.reasons}
    return tuple(f"{verdict.point.id}: {_describe(verdict, plan, best)}" for verdict in plan.to(*Action))


def _describe(verdict: Verdict, plan: RetentionPlan, best: dict[str, str]) -> str:
    point, grace = verdict.point, timedelta(hours=plan.policy.grace_hours)
    match verdict.action:
        case Action.KEEP:
            return _kept(verdict, plan.now.date())
        case Action.TAKE_BACK:
            return f"taken back, {_kept(verdict, plan.now.date())}"
        case Action.FAIL:
            return f"becomes failed: begun {point.since:%Y-%m-%d %H:%MZ}, and no run is at work on it"
        case Action.EXPIRE:
            return f"expires, to be deleted from {plan.now + grace:%Y-%m-%d %H:%MZ} on: {_why_not(point, plan, best)}"
        case Action.WAIT if verdict.reasons:
            return f"spared, although parts of it were deleted: {_reasons(verdict, plan.now.date())}"
        case Action.WAIT if point.expiry:
            return f"expiring, to be deleted from {later(point.expiry.marked_at, grace):%Y-%m-%d %H:%MZ} on"
        case _ if point.expiry and point.expiry.deletion_began_at:
            return f"deleted: what is left since the deletion began on {point.expiry.deletion_began_at:%Y-%m-%d %H:%MZ}"
        case _:
            return "deleted: its grace period is over"


def _kept(verdict: Verdict, today: date) -> str:
    how_long = "for now" if verdict.until is None else _until(verdict.until, today)
    return f"kept {how_long}: {_reasons(verdict, today)}"


def _until(day: date, today: date) -> str:
    """How long a reason holds that is firm; one whose last whole day is over ends in the course of today."""
    if day < today:
        return "until later today"
    return "for ever" if day == FOR_EVER else f"until {day}"


def _reasons(verdict: Verdict, today: date) -> str:
    """The reasons; those that end at another time than the last of them say when."""
    texts = []
    for reason in verdict.reasons:
        if not reason.firm:
            texts.append(f"{reason.text} (for now)" if verdict.until else reason.text)
        elif reason.until == verdict.until:
            texts.append(reason.text)
        else:
            texts.append(f"{reason.text} ({_until(reason.until, today)})")
    return ", ".join(texts)


def _why_not(point: TimelinePoint, plan: RetentionPlan, best: dict[str, str]) -> str:
    policy, offboarding = plan.policy, plan.circumstances.offboarding
    if offboarding and offboarding.is_over(plan.now):
        return f"the tenant has left, and its last point was to be kept until {offboarding.final_until}"
    if point.state is State.FAILED:
        return "it failed, and the time for diagnosis is over"
    if OF_KIND.get(point.kind) is Standing.DAILY:
        periods = [window.unit.name(window.unit.number(point.time)) for window in windows(policy)]
        return ", ".join(
            f"{name} is {best[name]}" if name in best else f"{name} has left its window" for name in periods
        )
    return {
        Kind.MANUAL: f"{policy.manual} manual ones that are better or newer have the places",
        Kind.HOURLY: f"older than {policy.hourly_hours} hours",
        Kind.SAFETY: f"older than {policy.safety_days} days",
    }[point.kind]
