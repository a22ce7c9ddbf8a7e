"""What retention knows of a recovery point: little enough that ten thousand of them are planned in a moment."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from include.rules.points.holds import Hold
from include.rules.points.manifest import Expiry, Manifest
from include.rules.points.moments import in_utc
from include.rules.points.requests import Kind
from include.rules.points.transitions import State


@dataclass(frozen=True, slots=True)
class TimelinePoint:
    """One recovery point on a tenant's timeline; all moments are taken to UTC, and one without a zone is refused.

    Attributes:
        time: The moment that the point shows (start of its first snapshot); of a point without a snapshot, the moment
            at which it was opened.
        since: When its last attempt ended, or began where it has not ended: how long it has been in its state.
        owner: The run that made the latest attempt.
        locked_until: Until then the store refuses to delete its parts; None where nothing was locked.
        half_restored: The restore that had left the tenant half restored when the point was taken; None when none had.
        needs: Ids of the recovery points without which this one cannot be restored; empty when it stands by itself.
    """

    id: str
    tenant: str
    kind: Kind
    state: State
    time: datetime
    since: datetime
    owner: str = ""
    hold: Hold | None = None
    locked_until: datetime | None = None
    expiry: Expiry | None = None
    half_restored: str | None = None
    needs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("time", "since"):
            object.__setattr__(self, name, in_utc(getattr(self, name)))

    @classmethod
    def of(cls, manifest: Manifest, needs: Collection[str] = ()) -> TimelinePoint:
        """What retention knows of the point with this manifest; `needs` as above."""
        return cls(
            id=manifest.id,
            tenant=manifest.tenant,
            kind=manifest.kind,
            state=manifest.state,
            time=manifest.time or manifest.opened_at,
            since=manifest.closed_at or manifest.opened_at,
            owner=manifest.owner,
            hold=manifest.hold,
            locked_until=manifest.locked_until,
            expiry=manifest.expiry,
            half_restored=manifest.half_restored,
            needs=tuple(needs),
        )

    @property
    def effective_state(self) -> State:
        """What the point could be used as: while it can be taken back, an expiring one is what it was before."""
        if self.state is State.EXPIRING and self.expiry and self.expiry.deletion_began_at is None:
            return self.expiry.previous_state
        return self.state
