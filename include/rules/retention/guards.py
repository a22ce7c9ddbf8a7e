"""What must not happen by itself: reasons to stop a retention plan before anybody acts on it.

A refusal stops what takes something away: expiring, deleting and sweeping. What keeps more than before (taking a point
back, closing an abandoned one) goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from include.rules.points.transitions import State
from include.rules.register.tenants import Tenant
from include.rules.retention.deletion_limits import too_many, too_many_hourly, too_many_lost
from include.rules.retention.departures import offboarded
from include.rules.retention.objections import Guard, Refusal
from include.rules.retention.plan import Action, RetentionPlan
from include.rules.retention.reasons import eligible, last_verified

STALE_AFTER = timedelta(hours=48)


def check_tenant(
    plan: RetentionPlan,
    tenant: Tenant | None,
    *,
    now: datetime,
    last_run: datetime | None,
) -> tuple[Refusal, ...]:
    """What speaks against carrying out the plan of one tenant; empty when nothing does or nothing would go or be swept.

    Args:
        tenant: The tenant as the register has it; None for one that has left and has an offboarding record.
        now: The moment of acting, in UTC; later than the plan's own when that had to be approved.
        last_run: The moment (UTC) of the last completed retention run of the fleet; None before the first one. It is
            the fleet's so that a tenant that was stopped for a month does not lose a month's points at once, unasked.
    """
    lost = too_many_lost(plan)
    if not plan.to(Action.EXPIRE, Action.DELETE) and not plan.circumstances.left_over:
        return (lost,) if lost else ()
    offboarding = plan.circumstances.offboarding
    if offboarding and (tenant or offboarding.is_over(now)):
        found = [offboarded(plan, tenant, offboarding)]
    else:
        stale = _stale(plan, tenant, now) if tenant else None
        found = [stale, _nothing_kept(plan), too_many(plan, now, last_run), too_many_hourly(plan, now, last_run)]
    return tuple(refusal for refusal in (lost, *found) if refusal)


def after_approval(refusals: Iterable[Refusal], plan: RetentionPlan, approved: str) -> tuple[Refusal, ...]:
    """What still stops a plan that a person has approved.

    Args:
        refusals: What the guards say of the plan as it is now.
        plan: The plan made again, just before acting, for the approved plan's own `now`.
        approved: The fingerprint of the plan that was approved.
    """
    left = [refusal for refusal in refusals if not refusal.approvable]
    if plan.fingerprint != approved:
        left.append(
            Refusal(
                Guard.PLAN_CHANGED,
                plan.tenant,
                f"Retention stopped for tenant {plan.tenant}: what would go is no longer what was approved.",
                "A point has changed since (a hold, a failure, another run); nothing was expired or deleted.",
                f"Start `retention` with `tenant: {plan.tenant}` again and look at the new plan.",
            )
        )
    return tuple(left)


def _stale(plan: RetentionPlan, tenant: Tenant, now: datetime) -> Refusal | None:
    newest = last_verified(eligible([verdict.point for verdict in plan.verdicts.values()], now))
    limit = max(STALE_AFTER, 2 * timedelta(hours=tenant.plan.rpo_hours))
    why = "While no backups come in, the old ones are all there is"
    half = _half_restored(plan, now - limit)
    if tenant.suspended:
        said, todo = (
            "is suspended",
            "Take `suspended` out of its entry in tenants.yaml when it is to be backed up again;",
        )
    elif newest is None:
        said, todo = "has no verified recovery point", "Look at its failed backups and start `manual_backup`;"
    elif now - newest.time > limit:
        said = (
            f"has no newer verified recovery point than {newest.id} of {newest.time:%Y-%m-%d %H:%MZ} "
            f"(limit {limit / timedelta(hours=1):.0f} hours)"
        )
        todo = "Look at its failed backups and start `manual_backup`;"
        if half:
            said += f", but for those that were taken since restore {half} has left it half restored"
            why = "Those show no consistent state: the older ones are all there is"
            todo = "Clear the task `open` of that restore, or start a new one, so that it comes to its end;"
    else:
        return None
    return Refusal(
        Guard.STALE,
        plan.tenant,
        f"Retention stopped for tenant {plan.tenant}: it {said}.",
        f"{why}; nothing was expired or deleted.",
        f"{todo} the next `retention` goes on by itself.",
        # The backups themselves are made and confirmed every day: nobody else would say it.
        for_person=bool(half) and not tenant.suspended,
    )


def _half_restored(plan: RetentionPlan, since: datetime) -> str | None:
    """The restore that had left the tenant half restored when its newest point since then was taken."""
    marked = [v.point for v in plan.kept if v.point.half_restored and v.point.time >= since]
    return max(marked, key=lambda point: (point.time, point.id)).half_restored if marked else None


def _nothing_kept(plan: RetentionPlan) -> Refusal | None:
    verified = [verdict for verdict in plan.verdicts.values() if verdict.point.worth is State.VERIFIED]
    if not verified or any(verdict.action in (Action.KEEP, Action.TAKE_BACK) for verdict in verified):
        return None
    return Refusal(
        Guard.NOTHING_KEPT,
        plan.tenant,
        f"Retention stopped for tenant {plan.tenant}: the plan keeps none of its {len(verified)} verified recovery "
        "points.",
        "Nothing could be restored any more; nothing was expired or deleted.",
        f"No policy may do that, so this cannot be approved: start `retention` with `tenant: {plan.tenant}` and "
        "`dry_run`, and report the plan that it shows as a fault.",
    )
