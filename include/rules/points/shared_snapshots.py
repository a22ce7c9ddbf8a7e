"""Shared snapshots: one snapshot of a volume at one moment, for the recovery points of all tenants that live on it.

A document in the vault is the truth about it: who claimed it, what was looked at before, and whose points use it. It is
changed by compare and swap alone; what may become of it is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from include.rules.errors import RefusedError
from include.rules.points.claim_ids import ClaimId
from include.rules.points.looks import TenantLook, VolumeLook, fingerprint_of
from include.rules.points.parts import ClaimName
from include.rules.register.tenants import DatabaseHost, Strict, TenantId, VolumeId, WebHost

SILENCE = timedelta(minutes=10)
"""A claim that nobody has written for so long is taken over: whoever made it is gone."""


class ShareState(StrEnum):
    """What a shared snapshot is: asked for, there and open to others, closed to others, about to be deleted."""

    CLAIMED = "claimed"
    STARTED = "started"
    SEALED = "sealed"
    DELETING = "deleting"


class SnapshotUser(Strict):
    """A recovery point that uses the snapshot, the fencing token under which it joined, and its lock, if it has one."""

    tenant: TenantId
    point: str
    token: int
    locked_until: AwareDatetime | None = None

    def is_of(self, tenant: str, point: str) -> bool:
        """True when it is this recovery point."""
        return (self.tenant, self.point) == (tenant, point)


class SharedSnapshot(Strict):
    """The document of one shared snapshot.

    Attributes:
        id: The claim, `<day>-<number>`; the number counts the claims of the UTC day, so that two that look at the same
            moment ask for the same name.
        nonce: With the id the value of the snapshot's tag: a name that comes again never finds an earlier snapshot. It
            changes with the looks: what was asked for before is not what comes after them. Stored as `claim_nonce`:
            every document has a `nonce` of its last write.
        former_nonces: Those before. A snapshot of theirs may still turn up, and is none of anybody's.
        owner: The run that claimed it, or took the claim over.
        claimed_at: When the claim was last written before its snapshot was first asked for, by the store's clock, be it
            that no answer came; None while it was not written since, which says when.
        looks: What was seen before the claim was written, by the fingerprint of the host entry that it was judged for.
        snapshot_id, started_at, size_gib: Amazon's answer; None until it is there.
        users: The points that use it, in the order in which they joined.
        sealed_because: Why nobody may join any more; empty while anybody may, or when its window is over.
    """

    version: Literal[1] = 1
    volume: VolumeId
    id: ClaimId
    nonce: str = Field(validation_alias="claim_nonce", serialization_alias="claim_nonce")
    former_nonces: tuple[str, ...] = ()
    state: ShareState
    owner: str
    claimed_at: AwareDatetime | None = None
    looks: dict[str, TenantLook] = Field(default_factory=dict)
    snapshot_id: str | None = None
    started_at: AwareDatetime | None = None
    size_gib: int | None = None
    users: tuple[SnapshotUser, ...] = ()
    sealed_because: str = ""

    @property
    def name(self) -> ClaimName:
        """How parts and lists name it."""
        return ClaimName(self.volume, self.id)

    @property
    def tag(self) -> str:
        """Value of the tag by which the snapshot is found again."""
        return f"{self.id}.{self.nonce}"

    @property
    def tags(self) -> tuple[str, ...]:
        """Values of the tag of all snapshots that were ever asked for by this claim."""
        return tuple(f"{self.id}.{nonce}" for nonce in (self.nonce, *self.former_nonces))

    @property
    def locked_until(self) -> datetime | None:
        """The longest lock of its users; None when none has one."""
        return max((user.locked_until for user in self.users if user.locked_until), default=None)

    def user(self, tenant: str, point: str) -> SnapshotUser | None:
        """The entry of a recovery point; None when it does not use the snapshot."""
        return next((user for user in self.users if user.is_of(tenant, point)), None)

    def look_at(self, tenant: str, point: str, host: WebHost | DatabaseHost) -> VolumeLook | None:
        """What was seen of the tenant before the claim, as far as the point may rely on it; None when nothing was, or
        its host entry was another one.
        """
        seen = self.looks.get(fingerprint_of(host))
        return seen.look if seen and seen.tenant == tenant and seen.only_for in ("", point) else None

    def kept_alive(self, written_at: datetime) -> SharedSnapshot:
        """The claim, to be written again while AWS does not grant the snapshot: what was asked for before may be there.

        Args:
            written_at: When the claim was last written.
        """
        return self.model_copy(update={"claimed_at": self.claimed_at or written_at})

    def seen_anew(self, looks: Mapping[str, TenantLook], nonce: str) -> SharedSnapshot:
        """The claim after another look, for a snapshot that is asked for from now on."""
        former = (*self.former_nonces, self.nonce)
        changes = {"looks": dict(looks), "nonce": nonce, "former_nonces": former, "claimed_at": None}
        return self.model_copy(update=changes)

    def taken_over(self, owner: str, user: SnapshotUser, looks: Mapping[str, TenantLook], nonce: str) -> SharedSnapshot:
        """The claim in the hands of another run, which has looked itself, and whose point is then its only user.

        Raises:
            RefusedError: when its snapshot is there already, or about to be deleted.
        """
        self._check_claimed()
        return self.seen_anew(looks, nonce).model_copy(update={"owner": owner, "users": (user,)})

    def given_up(self) -> SharedSnapshot:
        """AWS has refused the snapshot for good: nobody uses the claim, and what may have come of it is deleted.

        Raises:
            RefusedError: when somebody else has had an answer for this claim.
        """
        self._check_claimed()
        return self.model_copy(update={"state": ShareState.DELETING, "users": ()})

    def begun(self, snapshot_id: str, started_at: datetime, size_gib: int, *, claimed_at: datetime) -> SharedSnapshot:
        """Amazon has answered: the bytes of `started_at` are in the snapshot.

        Raises:
            RefusedError: when somebody else has had the answer for this claim, or it is about to be deleted.
        """
        self._check_claimed()
        return self.model_copy(
            update={
                "state": ShareState.STARTED,
                "snapshot_id": snapshot_id,
                "started_at": started_at,
                "size_gib": size_gib,
                "claimed_at": claimed_at,
            }
        )

    def may_join(self, opened_at: datetime, window: timedelta) -> bool:
        """True when a daily point may use it that was opened at `opened_at`, both by the store's clock."""
        is_open = self.state is ShareState.STARTED
        return is_open and self.claimed_at is not None and is_in_time(self.claimed_at, opened_at, window)

    def joined(self, users: Iterable[SnapshotUser]) -> SharedSnapshot:
        """The snapshot with these users; one that is on the list already takes its later token, and keeps its lock.

        Raises:
            RefusedError: when nobody may join any more, but for those who are on the list already.
        """
        of_point = {(user.tenant, user.point): user for user in self.users}
        for user in users:
            known = of_point.pop((user.tenant, user.point), None)
            if self.state is ShareState.DELETING or (known is None and self.state is not ShareState.STARTED):
                raise self._refused(f"is {self.state}, so that nobody can join it")
            joined = known.model_copy(update={"token": max(known.token, user.token)}) if known else user
            of_point[user.tenant, user.point] = joined
        return self.model_copy(update={"users": tuple(of_point.values())})

    def sealed(self, why: str = "") -> SharedSnapshot:
        """Nobody may join any more: its window is over, or `why`. Again, and while it is being deleted, the same."""
        if self.state is not ShareState.STARTED:
            return self
        return self.model_copy(update={"state": ShareState.SEALED, "sealed_because": why})

    def locked(self, tenant: str, point: str, until: datetime) -> SharedSnapshot:
        """The snapshot with the lock of one of its users; `locked_until` is then for how long it has to be locked.

        Raises:
            RefusedError: when the point does not use it.
        """
        if self.user(tenant, point) is None:
            raise self._refused(f"is not used by recovery point {point} of tenant {tenant}")
        users = [
            one.model_copy(update={"locked_until": until}) if one.is_of(tenant, point) else one for one in self.users
        ]
        return self.model_copy(update={"users": tuple(users)})

    def left(self, tenant: str, point: str, token: int) -> SharedSnapshot:
        """The snapshot without one of its users; about to be deleted when that was the last one.

        Args:
            token: Fencing token of whoever takes it off the list.

        Raises:
            RefusedError: when the point has joined under a later token: somebody else is at work on it.
        """
        user = self.user(tenant, point)
        if user and user.token > token:
            raise self._refused(f"was joined again by recovery point {point} of tenant {tenant}")
        users = tuple(one for one in self.users if not one.is_of(tenant, point))
        state = self.state if users else ShareState.DELETING
        return self.model_copy(update={"users": users, "state": state})

    def _check_claimed(self) -> None:
        if self.state is not ShareState.CLAIMED:
            raise self._refused("is claimed no more")

    def _refused(self, what: str) -> RefusedError:
        return RefusedError(
            f"Shared snapshot {self.id} of volume {self.volume} {what}.",
            why="It was left as it is.",
            todo="Another run has changed it meanwhile: clear the failed task, which looks again.",
            snapshot=self.snapshot_id or "none yet",
        )


def is_in_time(claimed_at: datetime, opened_at: datetime, window: timedelta) -> bool:
    """True for a claim that is younger than a daily point; or at most `window` older, and of the same UTC day.

    Args:
        claimed_at, opened_at: By the store's clock, in whole seconds: of the same one nobody knows which came first.
    """
    if claimed_at > opened_at or not window:
        return claimed_at > opened_at
    return claimed_at.astimezone(UTC).date() == opened_at.astimezone(UTC).date() and claimed_at >= opened_at - window


def is_silent(document: SharedSnapshot, written_at: datetime, now: datetime) -> bool:
    """True for a claim that was last written so long ago that whoever made it is gone; both times are the store's."""
    return document.state is ShareState.CLAIMED and now - written_at >= SILENCE
