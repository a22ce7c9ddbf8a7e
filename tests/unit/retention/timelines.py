"""Points on a timeline, for the tests of retention; each test changes the one thing it is about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from include.rules.points.holds import Hold
from include.rules.points.manifest import Expiry
from include.rules.points.requests import SLOT_FORMATS, Kind
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.offboarding import Offboarding
from include.rules.retention.plan import Circumstances, RetentionPlan, plan_retention
from include.rules.retention.records import RULES_VERSION, AppliedPolicy
from include.rules.retention.timeline import TimelinePoint

POLICY = RetentionPolicy()
NOW = datetime(2026, 6, 30, 6, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def moment(text: str) -> datetime:
    """`2026-06-30`, `2026-06-30T02` or any longer ISO form, in UTC."""
    return datetime.fromisoformat(text if len(text) != 13 else f"{text}:00").replace(tzinfo=UTC)


def point(at: str | datetime, kind: Kind = Kind.DAILY, state: State = State.VERIFIED, **changes: Any) -> TimelinePoint:
    """A point of acme with the id that its kind and time give it."""
    time = moment(at) if isinstance(at, str) else at
    fields = {"tenant": "acme", "time": time, "since": time, "owner": "lab/tenant_backup/one", **changes}
    fields.setdefault("id", f"{fields['tenant']}-{kind}-{time.strftime(SLOT_FORMATS[kind])}")
    return TimelinePoint(kind=kind, state=state, **fields)


def expiring(at: str | datetime, marked_at: datetime, was: State = State.VERIFIED, **changes: Any) -> TimelinePoint:
    """A point in its grace period; `deletion_began_at` among the changes when that is over."""
    began = changes.pop("deletion_began_at", None)
    expiry = Expiry(marked_at=marked_at, previous_state=was, deletion_began_at=began)
    return point(at, state=State.EXPIRING, expiry=expiry, **changes)


def days(newest: str, count: int, **changes: Any) -> list[TimelinePoint]:
    """Verified daily points of consecutive days, the newest first."""
    return [point(moment(newest) - number * DAY, **changes) for number in range(count)]


def hold(until: str | None = None, reason: str = "case 4711") -> Hold:
    return Hold(reason=reason, author="ada", placed_at=NOW, until=moment(until).date() if until else None)


def offboarding(final_until: str) -> Offboarding:
    last_day = moment(final_until).date()
    return Offboarding(tenant="acme", left_at=NOW - DAY, final_until=last_day, author="ada", retention=POLICY)


def applied(policy: RetentionPolicy, at: datetime | None = None, rules: int = RULES_VERSION) -> AppliedPolicy:
    """The record that retention has acted on acme by this policy."""
    return AppliedPolicy(tenant="acme", policy=policy, rules=rules, at=at or moment("2026-06-01"), owner="test")


def reasons_of(plan: RetentionPlan) -> dict[str, list[str]]:
    """The reasons of every point, in words."""
    return {name: [reason.text for reason in verdict.reasons] for name, verdict in plan.verdicts.items()}


def actions(plan: RetentionPlan) -> dict[str, str]:
    return {name: str(verdict.action) for name, verdict in plan.verdicts.items()}


def plan(
    points: Iterable[TimelinePoint], now: datetime = NOW, policy: RetentionPolicy = POLICY, **around: Any
) -> RetentionPlan:
    return plan_retention("acme", points, policy, now, Circumstances(**around))
