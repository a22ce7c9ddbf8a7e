"""What a backup by hand will cost: which points retention lets go once it is verified."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from include.rules.points.manifest import Manifest
from include.rules.points.requests import BackupRequest
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
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


def describe_displaced(displaced: Iterable[str], policy: RetentionPolicy) -> str:
    """A sentence for whoever has asked for the backup; empty where nothing goes for it."""
    names = ", ".join(displaced)
    if not names:
        return ""
    return (
        f"Once this one is verified, {names} will expire: the plan keeps {policy.manual} manual points. "
        "`hold_recovery_point` keeps one all the same."
    )
