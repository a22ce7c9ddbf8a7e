"""The recovery point: its states, its parts and its manifest, the JSON document that stands for it in the vault."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field, model_validator

from include.backups.holds import Hold
from include.backups.requests import Kind
from include.backups.tenants import Strict, Tenant

MANIFEST_VERSION: Literal[1] = 1


class State(StrEnum):
    """What a recovery point is worth.

    running: being made, represents nothing. pending: all parts complete, not yet verified. verified: can be restored.
    failed: could not be made. expiring: in its grace period before deletion. expired: only the tombstone is left.
    """

    RUNNING = "running"
    PENDING = "pending"
    VERIFIED = "verified"
    FAILED = "failed"
    EXPIRING = "expiring"
    EXPIRED = "expired"


class SnapshotRole(StrEnum):
    """Which volume of the tenant a snapshot shows; the value is the part's name in manifests and tags."""

    WEB = "web_snapshot"
    DATABASE = "db_snapshot"


class SnapshotPart(Strict):
    """One EBS snapshot.

    Attributes:
        started_at: Amazon's own StartTime: the moment whose bytes the snapshot holds.
        size_gib: Size of the volume, in GiB.
        consistency: "crash": the bytes of one moment, as after a power cut. Nobody told the application.
    """

    snapshot_id: str
    volume_id: str
    started_at: AwareDatetime
    size_gib: int
    consistency: Literal["crash"] = "crash"


class BackupFileClaim(Strict):
    """A file name that one BACKUP DATABASE statement may write to, recorded before the statement starts.

    Attributes:
        number: Counts the claims of this recovery point; never used twice.
        key: Key of the object in the vault, below the vault's prefix.
        name: The backup's NAME in its header and in msdb: how a finished backup is recognised after any crash.
        discarded: True when what was written there must not be adopted (damaged, or too old for a new attempt).
    """

    number: int = Field(ge=1)
    key: str
    name: str = Field(max_length=128)
    claimed_at: AwareDatetime
    discarded: bool = False


class BackupFilePart(Strict):
    """One finished .bak, as msdb and the object store describe it.

    Attributes:
        size_bytes: Size of the object in the vault.
        etag: The object's ETag when it was recorded (no MD5: it was written in parts).
        checksum: Checksums that the store keeps of the object, by algorithm; empty where it keeps none.
        first_lsn, last_lsn: Log sequence numbers, numeric(25,0) as decimal text.
    """

    number: int
    key: str
    name: str
    size_bytes: int = Field(gt=0)
    etag: str
    checksum: dict[str, str] = Field(default_factory=dict)
    backup_set_uuid: str
    first_lsn: str
    last_lsn: str
    copy_only: bool
    started_at: AwareDatetime
    finished_at: AwareDatetime


class Parts(Strict):
    """What has been made so far."""

    web_snapshot: SnapshotPart | None = None
    db_snapshot: SnapshotPart | None = None
    bak: BackupFilePart | None = None

    def missing(self) -> tuple[str, ...]:
        """Names of the parts that are not there yet, in the order in which they are made."""
        return tuple(name for name in ("web_snapshot", "db_snapshot", "bak") if getattr(self, name) is None)


class Verification(Strict):
    """How far the recovery point was proven (design: 1 complete, 2 readable, 3 proven by a restore), and when."""

    level: int = Field(ge=0, le=3)
    at: AwareDatetime
    checks: tuple[str, ...]


class Expiry(Strict):
    """Retention's mark on a recovery point that nothing keeps any more.

    Attributes:
        was: What the point was before, and is again when it is taken back.
        deletion_began_at: When its first part was about to be deleted; from then on it cannot be taken back.
    """

    marked_at: AwareDatetime
    was: State
    deletion_began_at: AwareDatetime | None = None


class Manifest(Strict):
    """The whole truth about one recovery point; it is enough to restore from, without register and without Airflow.

    Attributes:
        time: UTC start of the first snapshot; None before there is one. Never the logical date, never completion.
        attempt: Counts how often making this point was begun.
        owner: Deployment, DAG and run of the latest attempt.
        token: Fencing token of the lease under which the manifest was last written; a lower one may not write.
        source: The tenant as the register described it when the attempt began.
        failure: Why the last attempt failed; None otherwise.
        hold: The legal hold on the point, also one that is over; None when there was none or it was lifted.
        expiry: Retention's mark; there while the state is expiring or expired, and only then.
    """

    version: Literal[1] = MANIFEST_VERSION
    id: str
    tenant: str
    kind: Kind
    state: State
    attempt: int = Field(ge=1)
    owner: str
    token: int
    opened_at: AwareDatetime
    closed_at: AwareDatetime | None = None
    time: AwareDatetime | None = None
    source: Tenant
    note: str = Field(default="", max_length=1000)
    parts: Parts = Parts()
    claim: BackupFileClaim | None = None
    verification: Verification | None = None
    failure: str | None = None
    hold: Hold | None = None
    expiry: Expiry | None = None

    @model_validator(mode="after")
    def _marked_while_expiring(self) -> Manifest:
        if (self.expiry is not None) != (self.state in (State.EXPIRING, State.EXPIRED)):
            raise ValueError(
                f"a recovery point that is {self.state} has {'no' if self.expiry is None else 'an'} expiry"
            )
        return self

    def with_snapshot(self, role: SnapshotRole, part: SnapshotPart) -> Manifest:
        """Record a snapshot; the point's time is the start of the earliest one."""
        parts = self.parts.model_copy(update={role.value: part})
        starts = [snapshot.started_at for snapshot in (parts.web_snapshot, parts.db_snapshot) if snapshot]
        return self.model_copy(update={"parts": parts, "time": min(starts)})

    def with_claim(self, key_prefix: str, now: datetime) -> Manifest:
        """Claim the next file name: one that no attempt of this recovery point has used before."""
        number = self.claim.number + 1 if self.claim else 1
        stem = f"full-{number:02d}"
        claim = BackupFileClaim(number=number, key=f"{key_prefix}{stem}.bak", name=f"{self.id}/{stem}", claimed_at=now)
        return self.model_copy(update={"claim": claim})

    def with_backup_file(self, part: BackupFilePart) -> Manifest:
        """Record the finished .bak."""
        return self.model_copy(update={"parts": self.parts.model_copy(update={"bak": part})})

    def without_part(self, name: str) -> Manifest:
        """Forget a part that cannot be trusted, so that no later attempt adopts it: the point is incomplete again."""
        changes: dict[str, object] = {
            "parts": self.parts.model_copy(update={name: None}),
            "state": State.RUNNING,
            "verification": None,
        }
        if name == "bak" and self.claim:
            changes["claim"] = self.claim.model_copy(update={"discarded": True})
        return self.model_copy(update=changes)

    def volume_of(self, role: SnapshotRole) -> str:
        """The volume that a snapshot of this role shows."""
        return self.source.web.volume if role is SnapshotRole.WEB else self.source.database.volume

    def complete(self) -> Manifest:
        """All parts are there: pending until the verification has passed."""
        return self.model_copy(update={"state": State.PENDING})

    def verified(self, verification: Verification) -> Manifest:
        """The verification has passed: from now on the point can be restored."""
        return self.model_copy(update={"state": State.VERIFIED, "verification": verification, "failure": None})

    def with_failure(self, reason: str) -> Manifest:
        """Remember why the attempt is failing."""
        return self.model_copy(update={"failure": reason})

    def closed(self, now: datetime) -> Manifest:
        """The attempt is over: what is complete or verified stays so, everything else has failed."""
        changes: dict[str, object] = {"closed_at": now}
        if self.state is State.RUNNING:
            changes |= {"state": State.FAILED, "failure": self.failure or "The run was ended before it was done."}
        return self.model_copy(update=changes)
