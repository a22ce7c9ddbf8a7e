"""What retention will do, for whoever decides about one point: which go for a backup by hand, how long one stays."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from include.rules.points.manifest import Manifest
from include.rules.points.requests import BackupRequest
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.explanations import explain
from include.rules.retention.plan import Action, plan_retention
from include.rules.retention.timeline import TimelinePoint


def displaced_by(
    request: BackupRequest, manifests: Iterable[Manifest], policy: RetentionPolicy, now: datetime
) -> tuple[str, ...]:
    """Ids of the points that expire because of the requested one, the newest first: the plan with it beside the one
    without it.

    Args:
        manifests: Those of all recovery points of the tenant.
        now: The moment (UTC) that the new point will show.
    """
    tenant, new_id = request.tenant, request.recovery_point_id
    points = [TimelinePoint.of(manifest) for manifest in manifests if manifest.id != new_id]
    new = TimelinePoint(new_id, tenant, request.kind, State.VERIFIED, now, now)
    before, after = (plan_retention(tenant, known, policy, now) for known in (points, [*points, new]))
    return tuple(
        verdict.point.id
        for verdict in after.to(Action.EXPIRE)
        if before.verdicts[verdict.point.id].action is not Action.EXPIRE
    )


def describe_fate(
    point_id: str, tenant: str, manifests: Iterable[Manifest], policy: RetentionPolicy, now: datetime
) -> str:
    """What retention's next plan says of a point, for instance `Retention: acme-daily-20260604: kept until 2026-07-03:
    daily 2026-06-04.`; empty where it is none of these.

    Args:
        manifests: Those of all recovery points of the tenant.
    """
    plan = plan_retention(tenant, [TimelinePoint.of(manifest) for manifest in manifests], policy, now)
    (line,) = [line for line in explain(plan) if line.startswith(f"{point_id}: ")] or [""]
    goes = line and plan.verdicts[point_id].action is Action.EXPIRE
    return f"Retention: {line}.{' `hold_recovery_point` keeps it.' if goes else ''}" if line else ""


def describe_displaced(displaced: Iterable[str], policy: RetentionPolicy) -> str:
    """A sentence for whoever has asked for the backup; empty where nothing goes for it."""
    names = ", ".join(displaced)
    if not names:
        return ""
    return (
        f"Once this one is verified, {names} will expire: the plan keeps {policy.manual} manual points. "
        "`hold_recovery_point` keeps one all the same."
    )
