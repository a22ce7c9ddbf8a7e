"""What must not happen by itself: reasons to stop a retention plan before anybody acts on it.

An objection stops what takes something away: expiring, deleting and sweeping. What keeps more than before (taking a
point back, closing an abandoned one) goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from include.rules.points.transitions import State
from include.rules.register.tenants import Tenant
from include.rules.retention.deletion_limits import too_many, too_many_hourly, too_many_lost
from include.rules.retention.objections import Guard, Objection, ask_approval
from include.rules.retention.offboarding import Offboarding
from include.rules.retention.plan import Action, RetentionPlan
from include.rules.retention.reasons import eligible, last_verified
from include.rules.retention.records import RULES_VERSION, AppliedPolicy

STALE_AFTER = timedelta(hours=48)


def check_tenant(
    plan: RetentionPlan,
    tenant: Tenant | None,
    *,
    now: datetime,
    last_run: datetime | None,
) -> tuple[Objection, ...]:
    """What speaks against carrying out the plan of one tenant; empty when nothing does or nothing would go or be swept.

    Args:
        tenant: The tenant as the register has it; None for one that has left and has an offboarding record.
        now: The moment of acting, in UTC; later than the plan's own when that had to be approved.
        last_run: The moment (UTC) of the last completed retention run of the fleet; None before the first one. It is
            the fleet's so that a tenant that was stopped for a month does not lose a month's points at once, unasked.
    """
    objections = [too_many_lost(plan)]
    offboarding = plan.circumstances.offboarding
    if not plan.to(Action.EXPIRE, Action.DELETE) and not plan.circumstances.left_over:
        pass  # nothing is taken away, so that there is nothing else to object to
    elif offboarding and (tenant or offboarding.is_over(now)):
        objections.append(_offboarded(plan, tenant, offboarding))
    else:
        final = [_stale(plan, tenant, now) if tenant else None, _nothing_kept(plan)]
        # What nobody may approve comes first: while it stands, nobody is asked how many may go.
        asking = [] if any(final) else [too_many(plan, now, last_run), too_many_hourly(plan, now, last_run)]
        objections += [*final, *asking]
    return tuple(objection for objection in objections if objection)


def applied_after(plan: RetentionPlan, tenant: Tenant | None, *, now: datetime, owner: str) -> AppliedPolicy | None:
    """What to record once a plan that nothing stopped, or a person has approved, was carried out; None where the record
    stays as it is.

    A plan that takes nothing away is stopped by nothing. It counts as an acceptance of its policy all the same, but not
    while backups do not come in: then nobody has seen yet what the policy takes. Nor while points cannot be read: what
    it takes of those is to be asked about once they can.
    """
    circumstances = plan.circumstances
    if circumstances.applied and circumstances.applied.covers(plan.policy):
        if not plan.to(Action.EXPIRE, Action.DELETE):
            return None
    elif circumstances.unread or is_stale(plan, tenant, now):
        return None
    return AppliedPolicy(tenant=plan.tenant, policy=plan.policy, rules=RULES_VERSION, at=now, owner=owner)


def is_stale(plan: RetentionPlan, tenant: Tenant | None, now: datetime) -> bool:
    """True while no backups of the tenant come in; never of one that has left."""
    return tenant is not None and _stale(plan, tenant, now) is not None


def unapproved(
    objections: Iterable[Objection], plan: RetentionPlan, seen_lost: Collection[str]
) -> tuple[Objection, ...]:
    """The objections that an approval does not lift: those that nobody may approve, and PARTS_LOST where other points
    have lost parts than a person has seen (what else may be approved, the plan's fingerprint holds).

    Args:
        seen_lost: Ids of the points that had lost parts when the plan was shown.
    """
    is_seen = plan.circumstances.lost <= set(seen_lost)
    return tuple(o for o in objections if not o.approvable or (o.guard is Guard.PARTS_LOST and not is_seen))


def after_approval(
    objections: Iterable[Objection], plan: RetentionPlan, approved: str, seen_lost: Collection[str] = ()
) -> tuple[Objection, ...]:
    """What still stops a plan that a person has approved.

    Args:
        objections: What the guards say of the plan as it is now.
        plan: The plan made again, just before acting, for the approved plan's own `now`.
        approved: The fingerprint of the plan that was approved.
        seen_lost: As of `unapproved`.
    """
    remaining = list(unapproved(objections, plan, seen_lost))
    if plan.fingerprint != approved:
        remaining.append(
            Objection(
                Guard.PLAN_CHANGED,
                plan.tenant,
                f"Retention stopped for tenant {plan.tenant}: what would go is no longer what was approved.",
                "A point has changed since (a hold, a failure, another run); nothing was expired or deleted.",
                f"Start `retention` with `tenant: {plan.tenant}` again and look at the new plan.",
            )
        )
    return tuple(remaining)


def unknown_tenant(tenant: str, points: int, problem: str = "", offboarding: Offboarding | None = None) -> Objection:
    """Points of a tenant without a usable entry in the register: they are reported, never deleted.

    Args:
        points: How many there are.
        problem: What is wrong with the tenant's entry; empty when there is none.
        offboarding: The record that the tenant has left, where there is one that its entry contradicts.
    """
    entry = f"its entry in the register cannot be used ({problem})" if problem else "it is not in the register"
    if problem and offboarding:
        entry += f", though it is recorded as gone since {offboarding.left_at:%Y-%m-%d} (by {offboarding.author})"
        todo = f"Take the entry out of the register, or correct it and delete {_record_of(tenant)} from the vault"
    elif problem:
        todo = "Correct the entry"
    else:
        todo = (
            "Put it back into the register, or, if it has left, start `offboard_tenant` with "
            f"`tenant: {tenant}` and the last day on which its last point is kept"
        )
    return Objection(
        Guard.UNKNOWN_TENANT,
        tenant,
        f"The vault has {points} recovery points of tenant {tenant}, and {entry}.",
        "Nobody knows which of them to keep, so all were kept; they cost money.",
        f"{todo}; the next `retention` does the rest.",
    )


def _stale(plan: RetentionPlan, tenant: Tenant, now: datetime) -> Objection | None:
    newest = last_verified(eligible([verdict.point for verdict in plan.verdicts.values()], now))
    limit = max(STALE_AFTER, 2 * timedelta(hours=tenant.plan.rpo_hours))
    why = "While no backups come in, the old ones are all there is"
    restore = _half_restored(plan, now - limit)
    if tenant.suspended:
        finding, todo = (
            "is suspended",
            "Take `suspended` out of its entry in tenants.yaml when it is to be backed up again;",
        )
    elif newest is None:
        finding, todo = "has no verified recovery point", "Look at its failed backups and start `manual_backup`;"
    elif now - newest.time > limit:
        finding = (
            f"has no newer verified recovery point than {newest.id} of {newest.time:%Y-%m-%d %H:%MZ} "
            f"(limit {limit / timedelta(hours=1):.0f} hours)"
        )
        todo = "Look at its failed backups and start `manual_backup`;"
        if restore:
            finding += f", but for those that were taken since restore {restore} has left it half restored"
            why = "Those show no consistent state: the older ones are all there is"
            todo = "Clear the task `open` of that restore, or start a new one, so that it comes to its end;"
    else:
        return None
    return Objection(
        Guard.STALE,
        plan.tenant,
        f"Retention stopped for tenant {plan.tenant}: it {finding}.",
        f"{why}; nothing was expired or deleted.",
        f"{todo} the next `retention` goes on by itself.",
        # The backups themselves are made and confirmed every day: nobody else would say it.
        needs_operator=bool(restore) and not tenant.suspended,
    )


def _half_restored(plan: RetentionPlan, since: datetime) -> str | None:
    """The restore that had left the tenant half restored when its newest point since then was taken."""
    marked = [v.point for v in plan.kept if v.point.half_restored and v.point.time >= since]
    return max(marked, key=lambda point: (point.time, point.id)).half_restored if marked else None


def _nothing_kept(plan: RetentionPlan) -> Objection | None:
    verified = [verdict for verdict in plan.verdicts.values() if verdict.point.effective_state is State.VERIFIED]
    if not verified or any(verdict.action in (Action.KEEP, Action.TAKE_BACK) for verdict in verified):
        return None
    return Objection(
        Guard.NOTHING_KEPT,
        plan.tenant,
        f"Retention stopped for tenant {plan.tenant}: the plan keeps none of its {len(verified)} verified recovery "
        "points.",
        "Nothing could be restored any more; nothing was expired or deleted.",
        f"No policy may do that, so this cannot be approved: start `retention` with `tenant: {plan.tenant}` and "
        "`dry_run`, and report the plan that it shows as a fault.",
    )


def _offboarded(plan: RetentionPlan, tenant: Tenant | None, offboarding: Offboarding) -> Objection | None:
    """The last day of a tenant that has left is over, or its record contradicts the register; None where only what was
    approved before would go.

    Args:
        tenant: The tenant as the register has it; None for one that is not in it.
    """
    record = f"Tenant {plan.tenant} is recorded as gone since {offboarding.left_at:%Y-%m-%d} (by {offboarding.author})"
    if tenant:
        return Objection(
            Guard.OFFBOARDED,
            plan.tenant,
            f"{record} and is in the register.",
            "Only one can be true; nothing was expired or deleted.",
            f"Take the tenant out of the register, or delete {_record_of(plan.tenant)} from the vault; the next "
            "`retention` does the rest.",
        )
    expiring = len(plan.to(Action.EXPIRE))
    if not expiring:  # what is past its grace period was approved when it was marked
        return None
    return Objection(
        Guard.OFFBOARDED,
        plan.tenant,
        f"{record}, and its last points were to be kept until {offboarding.final_until}: {expiring} would expire now.",
        "Afterwards nothing of the tenant can be restored; nothing was expired or deleted.",
        ask_approval(plan.tenant),
        approvable=True,
    )


def _record_of(tenant: str) -> str:
    return f"offboarded/{tenant}.json"
