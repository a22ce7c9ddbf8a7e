"""Retention's decision: what to do with every recovery point of one tenant, and why.

The plan is a value: it changes nothing, and the same points, policy and moment give the same plan. The guards judge it
before anybody acts on it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

from include.rules.points.moments import in_utc
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.offboarding import Offboarding
from include.rules.retention.reasons import (
    Reason,
    Reasons,
    eligible,
    last_verified,
    manual_places,
    needed,
    needed_by_half_restored,
    protected,
    unsettled,
    young,
)
from include.rules.retention.records import AppliedPolicy
from include.rules.retention.representatives import tiers
from include.rules.retention.timeline import TimelinePoint

ABANDONED_AFTER = timedelta(hours=24)


class Action(StrEnum):
    """What to do with a recovery point.

    keep: nothing. take_back: it is expiring and is wanted again. fail: no run carries it any more, so it has failed.
    expire: begin its grace period. wait: it is in its grace period. delete: delete its parts, or finish doing so.
    """

    KEEP = "keep"
    TAKE_BACK = "take back"
    FAIL = "fail"
    EXPIRE = "expire"
    WAIT = "wait"
    DELETE = "delete"


class Verdict(NamedTuple):
    """What to do with one point, and everything that speaks for keeping it."""

    point: TimelinePoint
    action: Action
    reasons: tuple[Reason, ...] = ()

    @property
    def until(self) -> date | None:
        """The last day (UTC) on which a reason holds; `FOR_EVER` when one has no end; None while no reason is firm."""
        return max((reason.until for reason in self.reasons if reason.firm), default=None)


@dataclass(frozen=True)
class Circumstances:
    """What else bears on a tenant's points at the moment.

    Attributes:
        lease_owner: The run that holds the tenant's lease; None when nobody does.
        reading: Ids of the recovery points that a restore is reading.
        unfinished: The restore's id by the id of each point that it needs to come to its end, or to be undone, because
            it has left the tenant half restored.
        unread_restores: Ids of restores whose record cannot be read: any point may be needed to mend what they left.
        offboarding: The record that the tenant has left; None for all others.
        lost: Ids of the recovery points that count as failed because parts of them have gone; not yet written down.
        unseen_volumes: Those of lost snapshots of which AWS shows nothing at all, as in the wrong account or Region.
        left_over: True when there are parts that belong to no point any more, and would be swept.
        unread: True when there are points whose manifest cannot be read: they are no part of the plan.
        applied: By what retention last acted on the tenant; None before the first time.
    """

    lease_owner: str | None = None
    reading: frozenset[str] = frozenset()
    unfinished: Mapping[str, str] = field(default_factory=dict)
    unread_restores: tuple[str, ...] = ()
    offboarding: Offboarding | None = None
    lost: frozenset[str] = frozenset()
    unseen_volumes: tuple[str, ...] = ()
    left_over: bool = False
    unread: bool = False
    applied: AppliedPolicy | None = None


NOTHING_ELSE = Circumstances()


@dataclass(frozen=True)
class RetentionPlan:
    """One verdict for every recovery point of a tenant.

    Attributes:
        now: The moment (UTC) for which the plan was made. To plan again what was approved, plan for the same moment:
            then neither a new backup nor the hour changes what goes.
        verdicts: By recovery point id.
    """

    tenant: str
    now: datetime
    policy: RetentionPolicy
    circumstances: Circumstances
    verdicts: Mapping[str, Verdict]

    def to(self, *actions: Action) -> tuple[Verdict, ...]:
        """The verdicts with these actions, the newest point first."""
        verdicts = [verdict for verdict in self.verdicts.values() if verdict.action in actions]
        return tuple(sorted(verdicts, key=lambda verdict: (verdict.point.time, verdict.point.id), reverse=True))

    @property
    def kept(self) -> tuple[Verdict, ...]:
        """Points that stay, or come back, as recovery points; the newest first."""
        return self.to(Action.KEEP, Action.TAKE_BACK)

    @property
    def fingerprint(self) -> str:
        """A hash of what goes: of the points to expire and to delete, and of nothing else, in hexadecimal."""
        return hashlib.sha256("\n".join([self.tenant, *self.losses]).encode()).hexdigest()

    @property
    def losses(self) -> tuple[str, ...]:
        """What goes, a line for each point: what happens to it, and its id."""
        return tuple(sorted(f"{v.action} {v.point.id}" for v in self.to(Action.EXPIRE, Action.DELETE)))


def plan_retention(
    tenant: str,
    points: Iterable[TimelinePoint],
    policy: RetentionPolicy,
    now: datetime,
    circumstances: Circumstances = NOTHING_ELSE,
) -> RetentionPlan:
    """Decide about all recovery points of one tenant.

    Args:
        tenant: The tenant's id.
        points: All of the tenant's points, in any order.
        policy: What the tenant's plan keeps.
        now: The moment of the decision, in any zone: days and weeks are those of UTC.

    Raises:
        ValueError: when a point is another tenant's or stands twice: then the caller has mixed something up, and a plan
            made from it could lose a backup. Or when `now` names no zone.
    """
    by_id, now = _by_id(tenant, points), in_utc(now)
    reasons: dict[str, list[Reason]] = defaultdict(list)
    ranked = eligible(by_id.values(), now)
    by_policy = _by_policy(ranked, by_id, policy, now, circumstances.offboarding)
    by_state = chain(unsettled(by_id.values(), now), protected(by_id.values(), policy, now, circumstances.reading))
    to_mend = needed_by_half_restored(by_id, circumstances.unfinished, circumstances.unread_restores)
    for point, reason in chain(by_policy, by_state, to_mend):
        reasons[point.id].append(reason)
    for point, reason in list(needed(by_id, reasons)):
        reasons[point.id].append(reason)
    verdicts = {
        name: Verdict(point, Action.EXPIRE)
        if point.state is State.VERIFIED and name not in reasons  # what most points of a long timeline are
        else _verdict(point, tuple(reasons.get(name, ())), policy, now, circumstances)
        for name, point in by_id.items()
    }
    return RetentionPlan(tenant, now, policy, circumstances, verdicts)


def _by_id(tenant: str, points: Iterable[TimelinePoint]) -> dict[str, TimelinePoint]:
    given = list(points)
    by_id = {point.id: point for point in given}
    strangers = sorted([point.id for point in given if point.tenant != tenant])
    if strangers or len(by_id) < len(given):
        what = f"points of other tenants: {', '.join(strangers)}" if strangers else "a recovery point that stands twice"
        raise ValueError(f"the retention plan of tenant {tenant} was asked for with {what}")
    return by_id


def _by_policy(
    ranked: list[TimelinePoint],
    by_id: Mapping[str, TimelinePoint],
    policy: RetentionPolicy,
    now: datetime,
    offboarding: Offboarding | None,
) -> Reasons:
    """What the policy wants, and the last verified point; of a tenant that has left for good, nothing."""
    if offboarding and offboarding.is_over(now):
        return
    yield from tiers(ranked, by_id, policy, now)
    yield from manual_places(ranked, policy, now)
    yield from young(ranked, policy, now)
    newest = last_verified(ranked)
    if newest:
        until = offboarding.final_until if offboarding else date.max
        yield newest, Reason("last verified", until, firm=offboarding is not None)


def _verdict(
    point: TimelinePoint,
    reasons: tuple[Reason, ...],
    policy: RetentionPolicy,
    now: datetime,
    circumstances: Circumstances,
) -> Verdict:
    if point.state is State.RUNNING:
        carried = circumstances.lease_owner is not None and point.owner == circumstances.lease_owner
        abandoned = not carried and now - point.since >= ABANDONED_AFTER
        return Verdict(point, Action.FAIL if abandoned else Action.KEEP, reasons)
    if point.state is State.EXPIRED or (point.state is State.EXPIRING and point.expiry is None):
        return Verdict(point, Action.DELETE)
    if point.expiry is None:
        return Verdict(point, Action.KEEP, reasons) if reasons else Verdict(point, Action.EXPIRE)
    if point.expiry.deletion_began_at is not None:  # what has lost a part never comes back, but a hold spares the rest
        return Verdict(point, Action.WAIT if reasons else Action.DELETE, reasons)
    if reasons:
        return Verdict(point, Action.TAKE_BACK, reasons)
    over = now - point.expiry.marked_at >= timedelta(hours=policy.grace_hours)
    return Verdict(point, Action.DELETE if over else Action.WAIT)
