"""Which shared snapshot a recovery point may use: one that it asked for before, another's, or a new one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from include.rules.backup.attempts import ADOPTION_AGE, is_fresh
from include.rules.points.leases import Restored
from include.rules.points.looks import BELIEVED, VolumeLook
from include.rules.points.parts import ClaimName
from include.rules.points.requests import Kind
from include.rules.points.shared_snapshots import (
    SharedSnapshot,
    ShareState,
    SnapshotUser,
    is_in_time,
    is_silent,
)
from include.rules.register.tenants import DatabaseHost, WebHost


class Choice(StrEnum):
    """What to do about the snapshot of a volume; the best first."""

    RESUME = "resume"
    """An earlier attempt of this point has claimed one, and has not come to its end."""
    ADOPT = "adopt"
    """An earlier attempt of this point is on the list of one already."""
    JOIN = "join"
    LOOK = "look"
    """It could be joined, but for this tenant nobody had seen the volume then: somebody may see it now."""
    WAIT = "wait"
    """Somebody has claimed one that can be joined as soon as it is there."""
    TAKE_OVER = "take over"
    """Whoever claimed it is gone."""
    CLAIM = "claim"


@dataclass(frozen=True)
class SeenClaim:
    """A document of a shared snapshot as it was read.

    Attributes:
        written_at, seen_at: When it was written and read, by the store's clock.
    """

    document: SharedSnapshot
    written_at: datetime
    seen_at: datetime

    @property
    def claimed_at(self) -> datetime:
        """When it was claimed: its last writing, where its snapshot was not asked for before that."""
        return self.document.claimed_at or self.written_at


@dataclass(frozen=True)
class Candidate:
    """A recovery point that needs a snapshot of a volume.

    Attributes:
        token: Fencing token of the step.
        host: The tenant's entry that names the volume.
        opened_at: When its manifest was written, by the store's clock.
        has_seen_nothing: True when the tenant's own look has come to nothing, and is no reason for another snapshot.
        since: Token of the first of the steps, each right after the one before, that have announced it; None where none
            has.
        restored: The tenant's last restore; None when there was none. Nothing that was claimed before its end is used.
    """

    tenant: str
    point: str
    kind: Kind
    token: int
    host: WebHost | DatabaseHost
    opened_at: datetime
    window: timedelta
    has_seen_nothing: bool = False
    since: int | None = None
    restored: Restored | None = None

    @property
    def user(self) -> SnapshotUser:
        """Its entry in the list of a shared snapshot's users."""
        return SnapshotUser(tenant=self.tenant, point=self.point, token=self.token)

    @property
    def joins_others(self) -> bool:
        """False for a point that somebody wants of this very moment: by hand, or before a restore overwrites."""
        return self.kind is Kind.DAILY

    def after(self, announced: Candidate) -> Candidate:
        """The candidate, in the place that an earlier step has announced it for, where no other step has begun since:
        nobody is at work then who could take the point off a list that it was put on meanwhile.
        """
        is_next = self.token == announced.token + 1
        return replace(self, since=announced.token if announced.since is None else announced.since) if is_next else self

    def look_in(self, document: SharedSnapshot) -> VolumeLook | None:
        """What was seen of the tenant before the claim; None when nothing was that this point may rely on."""
        return document.look_at(self.tenant, self.point, self.host)

    def is_on(self, document: SharedSnapshot) -> bool:
        """True when it was put on the list itself, or since it was announced."""
        own, look = document.user(self.tenant, self.point), self.look_in(document)
        first = self.token if self.since is None else self.since
        return own is not None and look is not None and first <= own.token <= self.token

    def is_overtaken(self, user: SnapshotUser) -> bool:
        """True for an entry of this point's from before the end of its tenant's last restore."""
        return self.restored is not None and self.restored.overtakes(user.token)

    def is_claimer_of(self, document: SharedSnapshot) -> bool:
        """True when an earlier attempt of this point has claimed it and is fenced off by this one."""
        claimers = document.users[:1] if document.state is ShareState.CLAIMED else ()
        return any(user.is_of(self.tenant, self.point) and user.token <= self.token for user in claimers)

    def may_adopt(self, document: SharedSnapshot, now: datetime) -> bool:
        """True when the point is on its list already, and may still use it."""
        own, look = document.user(self.tenant, self.point), self.look_in(document)
        is_there = document.state in (ShareState.STARTED, ShareState.SEALED) and not document.sealed_because
        was_seen = look is not None and not look.not_looked_at
        is_ours = own is not None and own.token <= self.token and not self.is_overtaken(own)
        return bool(is_there and was_seen and is_ours and document.claimed_at and is_fresh(document.claimed_at, now))

    def may_join(self, document: SharedSnapshot) -> bool:
        """True when it may use somebody else's."""
        look = self.look_in(document)
        if not self.joins_others or look is None or not self._is_in_time(document):
            return False
        return not look.not_looked_at or self._has_no_better_look(document)

    def shows_restored(self, claimed_at: datetime) -> bool:
        """True for a claim that has nothing, neither bytes nor looks, from before the end of the last restore."""
        return self.restored is None or claimed_at > self.restored.until + BELIEVED

    def _is_in_time(self, document: SharedSnapshot) -> bool:
        is_open = document.may_join(self.opened_at, self.window)
        return is_open and document.claimed_at is not None and self.shows_restored(document.claimed_at)

    def _has_no_better_look(self, document: SharedSnapshot) -> bool:
        """Whether looking again is no use: it was done, or the claimer has tried it after the point was opened."""
        return self.has_seen_nothing or bool(document.claimed_at and document.claimed_at > self.opened_at)

    def choice(self, seen: SeenClaim, gone: Collection[str] = ()) -> Choice | None:
        """What one claim is good for; None when for nothing."""
        document = seen.document
        if self.is_claimer_of(document):
            return None if self.is_overtaken(document.users[0]) else Choice.RESUME
        if self.may_adopt(document, seen.seen_at):
            return Choice.ADOPT
        if not self.joins_others or self.look_in(document) is None or not self.shows_restored(seen.claimed_at):
            return None
        if document.state is ShareState.CLAIMED and is_in_time(seen.claimed_at, self.opened_at, self.window):
            is_gone = document.tag in gone or is_silent(document, seen.written_at, seen.seen_at)
            return Choice.TAKE_OVER if is_gone else Choice.WAIT
        if self.may_join(document):
            return Choice.JOIN
        return Choice.LOOK if self._is_in_time(document) else None


def decide(
    candidate: Candidate, seen: Iterable[SeenClaim], gone: Collection[str] = ()
) -> tuple[Choice, SeenClaim | None]:
    """What to do about the snapshot, and which claim is meant (None for a new one); of several the newest.

    Args:
        gone: Tags of claims whose claimer is known to be gone.
    """
    newest_first = sorted(seen, key=lambda one: one.document.id, reverse=True)
    choices = [(choice, one) for one in newest_first if (choice := candidate.choice(one, gone))]
    return min(choices, key=lambda pair: list(Choice).index(pair[0]), default=(Choice.CLAIM, None))


def left_behind(candidate: Candidate, seen: Iterable[SeenClaim], kept: Collection[ClaimName]) -> list[SharedSnapshot]:
    """Shared snapshots on whose lists an earlier attempt of the point has left it.

    Args:
        kept: Those that it uses.
    """
    own = (one.document for one in seen if one.document.user(candidate.tenant, candidate.point))
    return [document for document in own if document.name not in kept and document.state is not ShareState.DELETING]


def is_over(candidate: Candidate, seen: SeenClaim) -> bool:
    """True for a shared snapshot that was joined for long enough: whoever needs a new one seals it."""
    is_open = seen.document.state is ShareState.STARTED and candidate.joins_others
    return is_open and not is_in_time(seen.claimed_at, candidate.opened_at, candidate.window)


def earliest_of_use(candidate: Candidate, now: datetime) -> datetime:
    """How far back there may be a claim that the point can use, or was left on by an attempt of the last hour."""
    return min(now - ADOPTION_AGE, candidate.opened_at - candidate.window)


def days_of_use(candidate: Candidate, now: datetime) -> list[date]:
    """The UTC days of such claims, the latest first."""
    first, last = earliest_of_use(candidate, now).date(), now.date()
    return [last - timedelta(days=back) for back in range((last - first).days + 1)]
