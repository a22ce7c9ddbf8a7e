"""Locks on snapshots: a locked snapshot cannot be deleted until its lock has ended.

A governance lock may be changed and taken off; a compliance lock, once its cooling-off period is over, may only be made
longer. https://docs.aws.amazon.com/ebs/latest/userguide/snapshot-lock-concepts.html

The codes of the refusals are a reading of that page: AWS lists the rules without the codes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

COMPLIANCE, GOVERNANCE = "compliance", "governance"
LONGEST_DAYS, LONGEST_COOL_OFF_HOURS = 36_500, 72


class LockRefusedError(ValueError):
    """A lock that AWS would not set, change or take off; `code` is AWS's name for the refusal."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class SnapshotLock:
    """One lock; times are UTC. `cool_off_hours` is None without a cooling-off period."""

    mode: str
    days: int
    created_at: datetime
    starts_at: datetime
    expires_at: datetime
    cool_off_hours: int | None = None

    @property
    def cool_off_ends_at(self) -> datetime | None:
        return self.created_at + timedelta(hours=self.cool_off_hours) if self.cool_off_hours else None

    def state(self, now: datetime) -> str:
        """`governance`, `compliance-cooloff`, `compliance` or `expired`."""
        if now >= self.expires_at:
            return "expired"
        if self.mode == COMPLIANCE and self.cool_off_ends_at and now < self.cool_off_ends_at:
            return "compliance-cooloff"
        return self.mode

    def holds(self, now: datetime) -> bool:
        """Whether the snapshot cannot be deleted now."""
        return self.state(now) != "expired"

    def is_final(self, now: datetime) -> bool:
        """Whether nobody may take the lock off or make it shorter any more."""
        return self.state(now) == COMPLIANCE


def new_lock(
    mode: str,
    days: int | None,
    expires_at: datetime | None,
    cool_off_hours: int | None,
    starts_at: datetime,
    now: datetime,
) -> SnapshotLock:
    """The lock that a call asks for.

    Args:
        mode: `governance` or `compliance`.
        days: Duration, 1 to 36,500; or else `expires_at`, a day at least from now.
        cool_off_hours: 1 to 72, for compliance only.
        starts_at: When the duration begins: a pending snapshot's begins with its completion.

    Raises:
        LockRefusedError: AWS would not set it.
    """
    if mode not in (COMPLIANCE, GOVERNANCE):
        raise LockRefusedError("InvalidParameterValue", f"Value ({mode}) for parameter lockMode is invalid.")
    if (days is None) == (expires_at is None):
        raise LockRefusedError("InvalidParameterCombination", "Give either LockDuration or ExpirationDate.")
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise LockRefusedError("InvalidParameterValue", f"LockDuration is 1 to {LONGEST_DAYS} days, not {days}.")
    if expires_at is not None and expires_at < now + timedelta(days=1):
        raise LockRefusedError("InvalidParameterValue", "ExpirationDate must be at least one day from now.")
    if cool_off_hours is not None and mode != COMPLIANCE:
        raise LockRefusedError("InvalidParameterCombination", "CoolOffPeriod belongs to compliance mode only.")
    if cool_off_hours is not None and not 1 <= cool_off_hours <= LONGEST_COOL_OFF_HOURS:
        raise LockRefusedError("InvalidParameterValue", f"CoolOffPeriod is 1 to {LONGEST_COOL_OFF_HOURS} hours.")
    end = expires_at or starts_at + timedelta(days=days or 0)
    return SnapshotLock(mode, days or (end - starts_at).days, now, starts_at, end, cool_off_hours)


def replaced(old: SnapshotLock | None, new: SnapshotLock) -> SnapshotLock:
    """The lock that stands after a call; only a longer compliance lock may follow a final one.

    Raises:
        LockRefusedError: the old lock forbids it.
    """
    if old is None or not old.is_final(new.created_at):
        return new
    if new.mode != COMPLIANCE or new.expires_at < old.expires_at or new.cool_off_hours:
        raise LockRefusedError(
            "SnapshotLocked",
            f"A compliance lock can only be made longer; this one ends at {old.expires_at.isoformat()}.",
        )
    return new


def utc_now() -> datetime:
    return datetime.now(UTC)
