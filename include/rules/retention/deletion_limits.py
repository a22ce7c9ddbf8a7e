"""MAX_DELETE: how many recovery points may expire at once before a person has to look.

Only what a plan newly marks is counted. What is past its grace period was counted when it was marked.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from include.rules.points.requests import Kind
from include.rules.points.transitions import WHOLE, State
from include.rules.retention.objections import Guard, Objection, ask_approval
from include.rules.retention.plan import Action, RetentionPlan, Verdict

DAILY_LIMIT = 3
"""Points of one tenant that may expire for each day. A daily timeline in its steady state, 799 days long, lost none on
129 days, one on 549, two on 117, three on 4 and never more (measured)."""
MOST_DAYS = 3
"""Days since the last completed run that raise a limit at the most: a long weekend. After a longer pause the limit
would be no limit, just when policies, clocks and people have changed the most."""
HOURLY_LIMIT = 24
"""Hourly points of one tenant that may expire for each day, however few were made: after an outage, those of the days
before it expire as on any other day."""
FLEET_LIMIT = 0.10

UNCOUNTED = frozenset({Kind.HOURLY, Kind.SAFETY})
"""Kinds that the limit of daily and manual points leaves out: hourly ones have their own, and safety points go by their
age alone, as many in a day as restores were made in one."""


def check_fleet(plans: Iterable[RetentionPlan], *, now: datetime, last_run: datetime | None) -> tuple[Objection, ...]:
    """What speaks against carrying out all these plans in one run (leave out those that are stopped already).

    Hourly and safety points are left out on both sides: half of the hourly ones go every day, and each tenant's own
    guard bounds them. A fleet so small that a tenth of it is less than one tenant may lose may lose that.
    """
    plans = list(plans)
    expiring = sum(len(_expiring(plan)) for plan in plans)
    total = expiring + sum(verdict.point.kind not in UNCOUNTED for plan in plans for verdict in plan.kept)
    floor = DAILY_LIMIT * _days(now, last_run)
    if expiring <= max(FLEET_LIMIT * total, floor):
        return ()
    return (
        Objection(
            Guard.MAX_DELETE,
            None,
            f"Retention stopped for all tenants: the plans would expire {expiring} of {total} recovery points of the "
            f"fleet (limit {FLEET_LIMIT:.0%}, at least {floor}).",
            "A changed policy or a wrong clock can do that; nothing was expired or deleted.",
            "Look at plans.yaml and at the plans of this run, then start `retention` with `tenant` for one tenant "
            "after the other: it shows the plan, asks for approval and goes on.",
            approvable=True,
        ),
    )


def too_many(plan: RetentionPlan, now: datetime, last_run: datetime | None) -> Objection | None:
    """Daily and manual points of one tenant: `DAILY_LIMIT` for each day since the last completed run."""
    expiring, limit = len(_expiring(plan)), DAILY_LIMIT * _days(now, last_run)
    return _max_delete(plan, str(expiring), f"limit {limit}") if expiring > limit else None


def too_many_hourly(plan: RetentionPlan, now: datetime, last_run: datetime | None) -> Objection | None:
    """Hourly points of one tenant: as many as were made since the last completed run, or would have been, and
    `DAILY_LIMIT` more.
    """
    since = last_run or now - timedelta(days=1)
    whole = [v.point for v in plan.verdicts.values() if v.point.effective_state in WHOLE]
    new = sum(point.kind is Kind.HOURLY and point.time > since for point in whole)
    expiring = sum(_is_loss(verdict) and verdict.point.kind is Kind.HOURLY for verdict in plan.to(Action.EXPIRE))
    limit = max(new, HOURLY_LIMIT * _days(now, last_run)) + DAILY_LIMIT
    limit_text = f"{new} were made since {since:%Y-%m-%d %H:%MZ}, limit {limit}"
    return _max_delete(plan, f"{expiring} hourly ones", limit_text) if expiring > limit else None


def too_many_lost(plan: RetentionPlan) -> Objection | None:
    """PARTS_LOST: more than `DAILY_LIMIT` points of one tenant have lost parts, or all verified ones.

    In the wrong account or Region every snapshot is missing. Whoever wrote `failed` on that would lose all points.
    """
    lost = len(plan.circumstances.lost)
    whole = any(verdict.point.effective_state is State.VERIFIED for verdict in plan.verdicts.values())
    if not lost or (lost <= DAILY_LIMIT and whole):
        return None
    return Objection(
        Guard.PARTS_LOST,
        plan.tenant,
        f"Retention stopped for tenant {plan.tenant}: {lost} of {len(plan.verdicts)} recovery points have lost parts"
        f"{'' if whole else ', and no verified one is whole'}.",
        "It looks the same when the AWS connection leads to another account or Region; nothing was changed or deleted.",
        f"Check the connection. If the parts are really gone: {ask_approval(plan.tenant)}",
        approvable=True,
    )


def _max_delete(plan: RetentionPlan, expiring: str, limit: str) -> Objection:
    return Objection(
        Guard.MAX_DELETE,
        plan.tenant,
        f"Retention stopped for tenant {plan.tenant}: the plan would expire {expiring} of {len(plan.verdicts)} "
        f"recovery points ({limit}).",
        "A changed policy or a wrong clock can do that; nothing was expired or deleted.",
        ask_approval(plan.tenant),
        approvable=True,
    )


def _expiring(plan: RetentionPlan) -> list[Verdict]:
    """What the plan newly marks of the kinds that are counted."""
    return [v for v in plan.to(Action.EXPIRE) if _is_loss(v) and v.point.kind not in UNCOUNTED]


def _is_loss(verdict: Verdict) -> bool:
    """True when it is a loss that the point goes: a failed backup's remains are none."""
    return verdict.point.state is not State.FAILED


def _days(now: datetime, last_run: datetime | None) -> int:
    """Days since the last completed run that count, to the nearest one: a daily run that starts a minute late is one
    day later.
    """
    return min(MOST_DAYS, max(1, round((now - last_run) / timedelta(days=1)))) if last_run else 1
