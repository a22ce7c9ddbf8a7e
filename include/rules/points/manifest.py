"""The recovery point: its parts and its manifest, the JSON document that stands for it in the vault."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime, Field, model_validator

from include.rules.errors import RefusedError
from include.rules.points.backup_files import BackupFileClaim, BackupFilePart, DatabaseFile, file_names, stem_of
from include.rules.points.database_settings import DatabaseSettings
from include.rules.points.failures import INTERRUPTED, StepFailure, with_failures, without_step
from include.rules.points.holds import Hold, PastHold
from include.rules.points.looks import VolumeLook
from include.rules.points.manifest_versions import upgraded
from include.rules.points.marks import Expiry as Expiry
from include.rules.points.marks import Reader as Reader
from include.rules.points.marks import Verification as Verification
from include.rules.points.parts import PartName, Parts, SnapshotPart, SnapshotRole, host_of
from include.rules.points.requests import Kind
from include.rules.points.transitions import Act, State, outcomes
from include.rules.register.tenants import Strict, Tenant

MANIFEST_VERSION: Literal[3] = 3


class Manifest(Strict):
    """The whole truth about one recovery point; it is enough to restore from, without register and without Airflow.

    Attributes:
        time: UTC start of the first snapshot; None before there is one. Never the logical date, never completion.
        attempt: Counts how often making this point was begun.
        owner: Deployment, DAG and run of the latest attempt.
        token: Fencing token of the lease under which the manifest was last written; a lower one may not write.
        opened_under: The same, of the step that last opened it: no part is from before the last restore before that. 0
            in manifests from before there was this field.
        source: The tenant as the register described it when the attempt began.
        database_files: The database's files when the .bak was made, to find them in the snapshot of their volume; empty
            in manifests of version 1.
        database_settings: What lay around the data when the .bak was made, for a restore to put back or to name; None
            where nobody has asked, as in older manifests.
        looks: What was seen of a snapshot's volume before it was taken, by part; empty in manifests from before there
            were looks.
        failure: Why the last attempt failed, its first cause first; None otherwise.
        failures: The same, step by step, in the order in which it became known.
        left_out: Parts that a safety point does without, and why: its restore does not touch that half.
        half_restored: The restore that had left the tenant half restored when the attempt began; None when none had.
        readers: Restores that read this point: retention leaves it alone meanwhile.
        hold: The legal hold on the point, also one that is over; None when there was none or it was lifted.
        past_holds: Holds that were lifted or replaced, and by whom; the oldest first.
        locked_until: Until then the store refuses to delete the parts; None where nothing was locked.
        expiry: Retention's mark; there while the state is expiring or expired, and only then.
    """

    version: Literal[3] = MANIFEST_VERSION
    id: str
    tenant: str
    kind: Kind
    state: State
    attempt: int = Field(ge=1)
    owner: str
    token: int
    opened_under: int = 0
    opened_at: AwareDatetime
    closed_at: AwareDatetime | None = None
    time: AwareDatetime | None = None
    source: Tenant
    note: str = Field(default="", max_length=1000)
    parts: Parts = Parts()
    claim: BackupFileClaim | None = None
    database_files: tuple[DatabaseFile, ...] = ()
    database_settings: DatabaseSettings | None = None
    looks: dict[PartName, VolumeLook] = Field(default_factory=dict)
    verification: Verification | None = None
    failure: str | None = None
    failures: tuple[StepFailure, ...] = ()
    left_out: dict[PartName, str] = Field(default_factory=dict)
    half_restored: str | None = None
    readers: tuple[Reader, ...] = ()
    hold: Hold | None = None
    past_holds: tuple[PastHold, ...] = ()
    locked_until: AwareDatetime | None = None
    expiry: Expiry | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_any_version(cls, document: object) -> object:
        return upgraded(document)

    @model_validator(mode="after")
    def _marked_while_expiring(self) -> Manifest:
        if (self.expiry is not None) != (self.state in (State.EXPIRING, State.EXPIRED)):
            raise ValueError(
                f"a recovery point that is {self.state} has {'no' if self.expiry is None else 'an'} expiry"
            )
        return self

    @property
    def comes_back_as(self) -> State | None:
        """What a hold makes of an expiring point; None when it is not expiring, or its deletion has begun."""
        expiring = self.state is State.EXPIRING and self.expiry and self.expiry.deletion_began_at is None
        return self.expiry.previous_state if expiring and self.expiry else None

    def moved(self, act: Act, to: State | None = None, **changes: object) -> Manifest:
        """Do `act` to the point: its next state by the table of transitions, and these changes of other fields with it.

        Args:
            to: The state to reach, where the table leaves a choice.

        Raises:
            RefusedError: when the table has no such transition; nothing is changed.
        """
        after = [state for state in outcomes(act, self.state) if to in (None, state)]
        if len(after) != 1:
            raise RefusedError(
                f"Recovery point {self.id} of tenant {self.tenant} is {self.state}: "
                f"the act `{act}` is not allowed then{f' (to become {to})' if to else ''}.",
                why="It was left as it is.",
                todo="Another run has changed it meanwhile: look at its other runs, then start this one again.",
            )
        return self.model_copy(update={**changes, "state": after[0]})

    def missing(self) -> tuple[PartName, ...]:
        """Names of the parts that are not there yet and have to be."""
        return tuple(name for name in self.parts.missing() if name not in self.left_out)

    def snapshot(self, role: SnapshotRole) -> SnapshotPart | None:
        """The snapshot of this role; None when there is none (yet)."""
        return self.parts.web_snapshot if role is SnapshotRole.WEB else self.parts.db_snapshot

    def with_look(self, role: SnapshotRole, look: VolumeLook) -> Manifest:
        """Record what was seen of a volume; its snapshot comes next."""
        return self.model_copy(update={"looks": {**self.looks, PartName(role): look}})

    def with_reader(self, reader: Reader, now: datetime) -> Manifest:
        """Let a restore read the point until its time is over."""
        others = tuple(r for r in self.readers if r.restore != reader.restore and r.until > now)
        return self.model_copy(update={"readers": (*others, reader)})

    def with_hold(self, hold: Hold | None, by: str, at: datetime) -> Manifest:
        """Place a hold or lift the one that there is; what stood before is remembered, and who ended it."""
        past = (PastHold.of(self.hold, by, at),) if self.hold else ()
        return self.model_copy(update={"hold": hold, "past_holds": (*self.past_holds, *past)})

    def without_reader(self, restore: str) -> Manifest:
        """The restore is over."""
        return self.model_copy(update={"readers": tuple(r for r in self.readers if r.restore != restore)})

    def read_until(self, now: datetime) -> datetime | None:
        """Until when restores read the point at the most; None while none does."""
        return max((reader.until for reader in self.readers if reader.until > now), default=None)

    def with_snapshot(self, role: SnapshotRole, part: SnapshotPart) -> Manifest:
        """Record a snapshot; the point's time is the start of the earliest one."""
        parts = self.parts.model_copy(update={role.value: part})
        starts = [snapshot.started_at for snapshot in parts.snapshots]
        return self.model_copy(update={"parts": parts, "time": min(starts)})

    def with_claim(self, key_prefix: str, now: datetime, *, stripes: int) -> Manifest:
        """Claim the next file names, one for each stripe, that no attempt of this recovery point has used before."""
        number = self.claim.number + 1 if self.claim else 1
        claim = BackupFileClaim(
            number=number,
            keys=tuple(key_prefix + name for name in file_names(number, stripes)),
            name=f"{self.id}/{stem_of(number)}",
            claimed_at=now,
        )
        return self.model_copy(update={"claim": claim})

    def with_database(self, files: tuple[DatabaseFile, ...], settings: DatabaseSettings) -> Manifest:
        """Record where the files of the database lie, and what lies around its data."""
        return self.model_copy(update={"database_files": files, "database_settings": settings})

    def with_backup_file(self, part: BackupFilePart) -> Manifest:
        """Record the finished .bak."""
        return self.model_copy(update={"parts": self.parts.model_copy(update={PartName.BAK: part})})

    def without_part(self, name: PartName) -> Manifest:
        """Drop a part that cannot be trusted: the attempt is incomplete again, and not over.

        Raises:
            RefusedError: when no attempt is at work on the point.
        """
        return self.forgetting_part(name).moved(Act.DROP_PART, closed_at=None)

    def forgetting_part(self, name: PartName) -> Manifest:
        """Forget a part, so that no later attempt adopts it, and what was proven with it; the state stays."""
        changes: dict[str, object] = {"parts": self.parts.model_copy(update={name: None}), "verification": None}
        changes["looks"] = {part: look for part, look in self.looks.items() if part != name}
        if name == PartName.BAK and self.claim:
            changes["claim"] = self.claim.model_copy(update={"discarded": True})
        return self.model_copy(update=changes)

    def volume_of(self, role: SnapshotRole) -> str:
        """The volume that a snapshot of this role shows."""
        return host_of(self.source, role).volume

    @property
    def to_lock_until(self) -> datetime | None:
        """Until when the parts are to be locked where they are stored, by the plan at the time of the backup."""
        days = self.source.plan.retention.locked_days
        return (self.time or self.opened_at) + timedelta(days=days) if days else None

    def complete(self) -> Manifest:
        """All parts are there: pending until the verification has passed.

        Raises:
            RefusedError: when no attempt is at work on the point.
        """
        return self.moved(Act.COMPLETE)

    def verified(self, verification: Verification) -> Manifest:
        """The verification has passed: from now on the point can be restored.

        Raises:
            RefusedError: when it was not complete.
        """
        return self.moved(Act.VERIFY, verification=verification, failure=None, failures=())

    def with_failure(self, reason: str, step: str = "") -> Manifest:
        """Remember why the attempt is failing, and in which step; the first cause stays first. A verified point has not
        failed.
        """
        if self.state is State.VERIFIED:
            return self
        return self.model_copy(update=with_failures(self, [StepFailure(step=step, message=reason)]))

    def with_step_done(self, step: str) -> Manifest:
        """A step that had failed was done after all."""
        return self.model_copy(update=without_step(self, step))

    def closed(self, now: datetime) -> Manifest:
        """The attempt is over: what is complete or verified stays so, everything else has failed."""
        if self.state is not State.RUNNING:
            return self.model_copy(update={"closed_at": now})
        return self.moved(Act.CLOSE, closed_at=now, failure=self.failure or INTERRUPTED)
