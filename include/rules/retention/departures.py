"""Tenants that nobody knows any more, or that have left: what retention says before their last points go."""

from __future__ import annotations

from include.rules.register.tenants import Tenant
from include.rules.retention.objections import Guard, Refusal, ask_approval
from include.rules.retention.plan import Action, RetentionPlan
from include.rules.retention.timeline import Offboarding


def unknown_tenant(tenant: str, points: int, problem: str = "", offboarding: Offboarding | None = None) -> Refusal:
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
    return Refusal(
        Guard.UNKNOWN_TENANT,
        tenant,
        f"The vault has {points} recovery points of tenant {tenant}, and {entry}.",
        "Nobody knows which of them to keep, so all were kept; they cost money.",
        f"{todo}; the next `retention` does the rest.",
    )


def offboarded(plan: RetentionPlan, tenant: Tenant | None, offboarding: Offboarding) -> Refusal | None:
    """The last day of a tenant that has left is over, or its record contradicts the register; None where only what was
    approved before would go.

    Args:
        tenant: The tenant as the register has it; None for one that is not in it.
    """
    record = f"Tenant {plan.tenant} is recorded as gone since {offboarding.left_at:%Y-%m-%d} (by {offboarding.author})"
    if tenant:
        return Refusal(
            Guard.OFFBOARDED,
            plan.tenant,
            f"{record} and is in the register.",
            "Only one can be true; nothing was expired or deleted.",
            f"Take the tenant out of the register, or delete {_record_of(plan.tenant)} from the vault; the next "
            "`retention` does the rest.",
        )
    goes = len(plan.to(Action.EXPIRE))
    if not goes:  # what is past its grace period was approved when it was marked
        return None
    return Refusal(
        Guard.OFFBOARDED,
        plan.tenant,
        f"{record}, and its last points were to be kept until {offboarding.final_until}: {goes} would expire now.",
        "Afterwards nothing of the tenant can be restored; nothing was expired or deleted.",
        ask_approval(plan.tenant),
        approvable=True,
    )


def _record_of(tenant: str) -> str:
    return f"offboarded/{tenant}.json"
