"""The lease of a tenant: backup, restore and retention of one tenant exclude each other.

Every step that begins under a lease takes the next fencing token, and writes beside it which incarnation it is: one
trigger in one triggerer. Whoever held an earlier one (an attempt whose task was cleared while its trigger still ran, a
triggerer that was thought dead) sees a higher token and stops: it is outranked by a later incarnation of its own run,
or has lost the lease to another owner. The first ends in silence, because its successor speaks for the task.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import AwareDatetime, Field

from include.rules.errors import LeaseBusyError, LeaseLostError, OutrankedError
from include.rules.register.tenants import Strict

RENEWALS = 4
"""How often a step renews its lease before it would expire: one answer that is lost, or late, is no harm."""

EFFECT_WITHIN = timedelta(seconds=2)
"""How old a proof of the lease may be right before an effect on another machine.

A look at the lease is always some moments old when the effect happens: the answer travels, the request travels, and the
process may be stopped between the two. So a look never prevents that an effect slips through; it keeps those few, and
what slips through is found again (one snapshot is adopted, a file name is never used twice). What has to be caught is
a step that goes on after a stall: Airflow hands a trigger over half a minute after its triggerer's last sign of life,
another owner may take the lease after its whole time. Both are far more than this, and a stall counts: it is measured
by a clock that goes on meanwhile.
"""

CHANGE_WITHIN = timedelta(seconds=15)
"""The same before a change of a document, which compare and swap protects besides: what a step that is outranked writes
before its successor's first write, that one finds, and writes on top of."""


class Purpose(StrEnum):
    """What a lease is held for, as messages name it."""

    BACKUP = "backup"
    RESTORE = "restore"
    RETENTION = "retention"


@dataclass(frozen=True)
class Restored:
    """The last restore of a tenant: what was made before it has ended holds bytes that it has overwritten.

    Attributes:
        token: The last fencing token that was taken for it: by it a run tells what was recorded of its own.
        until: When the lease was no more its own, by the store's clock: by it others' claims are told.
    """

    token: int
    until: datetime

    def overtakes(self, token: int) -> bool:
        """True for what was recorded of its tenant under a token from before its end."""
        return token <= self.token


class Lease(Strict):
    """One tenant's lease as the vault keeps it; it is never deleted, so that its token only ever grows.

    Attributes:
        owner: Deployment, DAG and run that hold it; None when it is free.
        purpose: What it was last taken for, a `Purpose` as text; empty when nobody has ever taken it, and in free ones
            that earlier versions have written.
        token: Fencing token, one higher at every step that begins.
        incarnation: Which incarnation of a step took the token; empty when the lease is free, or nobody has said.
        expires_at: From then on somebody else may take it over.
        point: Id of the recovery point for which a backup last took it; empty when none has.
        found_whole: True when a backup has found that no restore has left the tenant half restored, and no restore has
            taken the lease since; there is nothing to look for then.
        restored_token, restored_until: The last restore, as in `Restored`, written by whoever takes the lease after it;
            0 and None when no restore has held it.
    """

    version: int = 1
    tenant: str
    owner: str | None = None
    purpose: str = ""
    token: int = Field(default=0, ge=0)
    incarnation: str = ""
    expires_at: AwareDatetime
    point: str = ""
    found_whole: bool = False
    restored_token: int = Field(default=0, ge=0)
    restored_until: AwareDatetime | None = None

    @property
    def id(self) -> str:
        """A tenant has one lease, so that it goes by the tenant's name."""
        return self.tenant

    @property
    def restored(self) -> Restored | None:
        """The last restore of the tenant; None when there was none, and while one is at work that is the first."""
        return Restored(self.restored_token, self.restored_until) if self.restored_until else None

    @property
    def is_undated(self) -> bool:
        """True of a lease that was just taken after a restore, and does not say yet when that had ended."""
        return self.restored_token > 0 and self.restored_until is None

    def dated(self, before: Lease, *, written_at: datetime, seen_at: datetime) -> Lease:
        """The lease, with the time at which the restore had ended: when it gave the lease back, or at the latest, where
        it never did, when the lease was seen to be taken from it.

        Args:
            before: The lease that was taken.
            written_at, seen_at: When that was written and read, by the store's clock.
        """
        until = written_at if before.owner is None else seen_at
        return self.model_copy(update={"restored_until": until}) if self.is_undated else self

    def is_live(self, now: datetime) -> bool:
        """True while the owner's right excludes everybody else."""
        return self.owner is not None and now < self.expires_at

    def is_outranked(self, owner: str, incarnation: str) -> bool:
        """True for an incarnation of `owner`'s run that is not the latest: another one of the same run holds the token.

        Not when the lease is free or another owner's: then nobody of this run speaks for it.
        """
        return self.owner == owner and self.incarnation != incarnation

    def is_neglected(self, now: datetime, ttl: timedelta) -> bool:
        """True when whoever holds the lease has missed its turns to renew it: RENEWALS of them come in one `ttl`."""
        return self.expires_at - now < ttl * 2 / RENEWALS

    def proves(self, age: timedelta, within: timedelta, *, now: datetime, ttl: timedelta) -> bool:
        """True when what the store said of the lease `age` ago need not be read again before an effect.

        Not of a lease that is about to expire, nor where leases are so short that `within` would be no small part.
        """
        return age <= min(within, ttl / 40) and not self.is_neglected(now, ttl)

    def acquired(
        self, owner: str, purpose: Purpose, *, now: datetime, ttl: timedelta, incarnation: str = "", point: str = ""
    ) -> Lease:
        """Take the lease, free or expired or already one's own; after a restore it has to be `dated` then.

        Args:
            point: Id of the recovery point that is to be made; empty for other purposes.

        Raises:
            LeaseBusyError: while another owner's is live; the message names the holder.
        """
        if self.is_live(now) and self.owner != owner:
            raise LeaseBusyError(
                f"Tenant {self.tenant} is busy: a {self.purpose} holds its lease until {self.expires_at:%H:%M:%SZ}.",
                why="Backup, restore and retention of one tenant exclude each other; nothing was done.",
                todo="Wait for that run to end, then start this one again.",
                holder=self.owner,
            )
        taken = self._taken(incarnation, now + ttl)
        changes: dict[str, object] = {"owner": owner, "purpose": str(purpose), "point": point or self.point}
        if self._may_be_a_restores:
            changes |= {"restored_token": self.token, "restored_until": None}
        return taken.model_copy(update={**changes, "found_whole": self.found_whole and purpose is not Purpose.RESTORE})

    def continued(self, owner: str, *, now: datetime, ttl: timedelta, incarnation: str = "") -> Lease:
        """Begin a step under a lease that this owner already holds: the next token, the full time again.

        Raises:
            LeaseLostError: when the lease is free or somebody else's.
        """
        if self.owner != owner:
            raise self._lost(owner)
        return self._taken(incarnation, now + ttl)

    def renewed(self, owner: str, token: int, *, now: datetime, ttl: timedelta) -> Lease:
        """Keep the lease for `ttl` more.

        Raises:
            LeaseLostError: when another owner has taken over; OutrankedError when a later step of the same run has.
        """
        self.check(owner, token)
        return self.model_copy(update={"expires_at": now + ttl})

    def released(self, owner: str, token: int, *, now: datetime) -> Lease:
        """Give the lease back.

        Raises:
            LeaseLostError: when it is no longer this step's to give.
        """
        self.check(owner, token)
        return self.model_copy(update={"owner": None, "incarnation": "", "expires_at": now})

    def ended(self, owner: str, *, now: datetime) -> Lease:
        """Give back the lease of a run that is over, with a token of its own: whatever is still at work for it stops.

        Raises:
            LeaseLostError: when the lease is free or somebody else's.
        """
        if self.owner != owner:
            raise self._lost(owner)
        return self._taken("", now).released(owner, self.token + 1, now=now)

    def check(self, owner: str, token: int) -> None:
        """Make sure that the step that took `token` may still act.

        Raises:
            OutrankedError: when a later step of the same run may.
            LeaseLostError: when another owner may, or nobody.
        """
        if self.owner != owner:
            raise self._lost(owner)
        if self.token != token:
            raise OutrankedError(
                f"A later step of the same run acts on tenant {self.tenant} now.",
                why="This one stopped before its next change.",
                todo="Look at the later one: it goes on with the work.",
                owner=owner,
                token=self.token,
            )

    @property
    def _may_be_a_restores(self) -> bool:
        """Whether a restore has taken it last. A free lease of an earlier version does not say; then only a backup that
        has found the tenant whole since speaks against it.
        """
        return self.purpose == Purpose.RESTORE if self.purpose else self.token > 0 and not self.found_whole

    def _taken(self, incarnation: str, expires_at: datetime) -> Lease:
        return self.model_copy(update={"token": self.token + 1, "incarnation": incarnation, "expires_at": expires_at})

    def _lost(self, owner: str) -> LeaseLostError:
        now_with = f"{self.owner} ({self.purpose})" if self.owner else "nobody"
        return LeaseLostError(
            f"This run no longer holds the lease of tenant {self.tenant}; it is with {now_with}.",
            why="Another attempt may be at work, so this one stopped before its next change.",
            todo="If no other run is at work on the tenant, clear the first task of this run to begin again.",
            owner=owner,
            token=self.token,
        )
