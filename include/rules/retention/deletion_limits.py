"""MAX_DELETE: how many recovery points may expire at once before a person has to look.

It asks about what a changed policy takes, not about what the calendar takes. Only what a plan newly marks is counted:
what is past its grace period was counted when it was marked.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from include.rules.points.moments import in_utc
from include.rules.points.requests import Kind
from include.rules.points.transitions import WHOLE, State
from include.rules.retention.objections import Guard, Objection, ask_approval
from include.rules.retention.plan import Action, RetentionPlan, Verdict, plan_retention
from include.rules.retention.records import RULES_VERSION, AppliedPolicy

DAILY_LIMIT = 3
"""Points that a changed policy may take from one tenant unasked. Before there is a record of the policy: daily and
manual points of one tenant that may expire for each day. A daily timeline in its steady state, 799 days long, lost none
on 129 days, one on 549, two on 117, three on 4 and never more (measured)."""
MOST_DAYS = 3
"""Days since the last completed run that raise the limit of a tenant without a record: a long weekend. After a longer
pause the limit would be no limit, just when policies, clocks and people have changed the most."""
HOURLY_LIMIT = 24
"""Hourly points of one tenant that may expire for each day, however few were made: after an outage, those of the days
before it expire as on any other day."""
FLEET_LIMIT = 0.10

UNCOUNTED = frozenset({Kind.HOURLY, Kind.SAFETY})
"""Kinds that are left out where daily and manual points are counted: hourly ones have a limit of their own, and safety
points go by their age alone, as many in a day as restores were made in one."""
STAYS = (Action.KEEP, Action.TAKE_BACK)


class Loss(NamedTuple):
    """How many points a plan takes that a person might not have meant, and how many it may take unasked.

    Attributes:
        why: What the limit is of, to follow the number in a message.
    """

    counted: int
    limit: int
    why: str


def count_loss(plan: RetentionPlan, now: datetime, last_run: datetime | None) -> Loss:
    """What a changed policy takes from a tenant; where no record says by which policy it was acted on before, every
    daily and manual point that expires.

    Under changed rules nobody can tell any more what the former ones would have kept: then all that expires counts.
    """
    expiring, applied = [v for v in plan.to(Action.EXPIRE) if _is_loss(v)], plan.circumstances.applied
    if applied is None:
        limit = DAILY_LIMIT * min(MOST_DAYS, _days(now, last_run))
        return Loss(sum(v.point.kind not in UNCOUNTED for v in expiring), limit, f"limit {limit}")
    if applied.covers(plan.policy):
        return Loss(0, DAILY_LIMIT, "")
    if applied.rules == RULES_VERSION:
        points = [verdict.point for verdict in plan.verdicts.values()]
        before = plan_retention(plan.tenant, points, applied.policy, plan.now, plan.circumstances)
        stayed = {verdict.point.id for verdict in before.kept}
        expiring = [verdict for verdict in expiring if verdict.point.id in stayed]
    return Loss(len(expiring), DAILY_LIMIT, f"limit {DAILY_LIMIT}; {_what_changed(plan, applied)}")


def check_fleet(plans: Iterable[RetentionPlan], *, now: datetime, last_run: datetime | None) -> tuple[Objection, ...]:
    """What speaks against carrying out all these plans in one run (leave out those that are stopped already).

    Of the points that stay, hourly and safety ones are left out: half of the hourly ones go every day. A fleet so small
    that a tenth of it is less than one tenant may lose may lose that.
    """
    plans = list(plans)
    losses = [count_loss(plan, now, last_run) for plan in plans]
    counted = sum(loss.counted for loss in losses)
    total = sum(verdict.point.kind not in UNCOUNTED for plan in plans for verdict in plan.to(*STAYS, Action.EXPIRE))
    floor = max((loss.limit for loss in losses if loss.counted), default=DAILY_LIMIT)
    if counted <= max(FLEET_LIMIT * total, floor):
        return ()
    return (
        Objection(
            Guard.MAX_DELETE,
            None,
            f"Retention stopped for all tenants: the plans would expire {counted} of {total} recovery points of the "
            f"fleet (limit {FLEET_LIMIT:.0%}, at least {floor}).",
            "A changed policy or a wrong clock can do that; nothing was expired or deleted.",
            "Look at plans.yaml and at the plans of this run, then start `retention` with `tenant` for one tenant "
            "after the other: it shows the plan, asks for approval and goes on.",
            approvable=True,
        ),
    )


def too_many(plan: RetentionPlan, now: datetime, last_run: datetime | None) -> Objection | None:
    """More than the policy's change may take from one tenant, or more than half of its daily and manual points."""
    loss = count_loss(plan, now, last_run)
    if loss.counted > loss.limit:
        return _max_delete(plan, f"{loss.counted} of {len(plan.verdicts)} recovery points ({loss.why})")
    verified = [
        verdict
        for verdict in plan.to(*STAYS, Action.EXPIRE)
        if verdict.point.kind not in UNCOUNTED and verdict.point.effective_state is State.VERIFIED
    ]
    expiring = sum(verdict.action is Action.EXPIRE for verdict in verified)
    if 2 * expiring > len(verified):
        what = f"{expiring} of {len(verified)} verified daily and manual recovery points at once (limit half of them)"
        return _max_delete(plan, what)
    return None


def too_many_hourly(plan: RetentionPlan, now: datetime, last_run: datetime | None) -> Objection | None:
    """Hourly points of one tenant: as many as were made since retention last acted on it, or would have been, and
    `DAILY_LIMIT` more. Without a record of that, since the last completed run.
    """
    applied = plan.circumstances.applied
    since = in_utc((applied.at if applied else last_run) or now - timedelta(days=1))
    days = _days(now, since) if applied else min(MOST_DAYS, _days(now, last_run))
    whole = [v.point for v in plan.verdicts.values() if v.point.effective_state in WHOLE]
    new = sum(point.kind is Kind.HOURLY and point.time > since for point in whole)
    expiring = sum(_is_loss(verdict) and verdict.point.kind is Kind.HOURLY for verdict in plan.to(Action.EXPIRE))
    limit = max(new, HOURLY_LIMIT * days) + DAILY_LIMIT
    if expiring <= limit:
        return None
    made = f"{new} were made since {since:%Y-%m-%d %H:%MZ}, limit {limit}"
    return _max_delete(plan, f"{expiring} hourly ones of {len(plan.verdicts)} recovery points ({made})")


def too_many_lost(plan: RetentionPlan) -> Objection | None:
    """PARTS_LOST: more than `DAILY_LIMIT` points of one tenant have lost parts, or all verified ones, or AWS shows
    nothing of the volume either.

    In the wrong account or Region every snapshot is missing. Whoever wrote `failed` on that would lose all points.
    """
    lost, unseen = len(plan.circumstances.lost), plan.circumstances.unseen_volumes
    whole = any(verdict.point.effective_state is State.VERIFIED for verdict in plan.verdicts.values())
    if not lost or (lost <= DAILY_LIMIT and whole and not unseen):
        return None
    nothing_of = f", and AWS shows neither volume {', '.join(unseen)} nor any snapshot of it" if unseen else ""
    return Objection(
        Guard.PARTS_LOST,
        plan.tenant,
        f"Retention stopped for tenant {plan.tenant}: {lost} of {len(plan.verdicts)} recovery points have lost parts"
        f"{'' if whole else ', and no verified one is whole'}{nothing_of}.",
        "It looks the same when the AWS connection leads to another account or Region; nothing was changed or deleted.",
        f"Check the connection. If the parts are really gone: {ask_approval(plan.tenant)}",
        approvable=True,
    )


def _max_delete(plan: RetentionPlan, expiring: str) -> Objection:
    return Objection(
        Guard.MAX_DELETE,
        plan.tenant,
        f"Retention stopped for tenant {plan.tenant}: the plan would expire {expiring}.",
        "A changed policy or a wrong clock can do that; nothing was expired or deleted.",
        ask_approval(plan.tenant),
        approvable=True,
    )


def _what_changed(plan: RetentionPlan, applied: AppliedPolicy) -> str:
    """What is no longer as it was when retention last acted on the tenant, for instance `daily was 30 and is 7`."""
    if applied.rules != RULES_VERSION:
        return f"the rules were of version {applied.rules} on {in_utc(applied.at):%Y-%m-%d} and are of {RULES_VERSION}"
    before, after = applied.policy.model_dump(), plan.policy.model_dump()
    changes = [f"{name} was {before[name]} and is {after[name]}" for name in after if after[name] != before[name]]
    return f"since {in_utc(applied.at):%Y-%m-%d} {', '.join(changes)}"


def _is_loss(verdict: Verdict) -> bool:
    """True when it is a loss that the point goes: a failed backup's remains are none."""
    return verdict.point.state is not State.FAILED


def _days(now: datetime, since: datetime | None) -> int:
    """Days since then, to the nearest one: a daily run that starts a minute late is one day later."""
    return max(1, round((now - since) / timedelta(days=1))) if since else 1
