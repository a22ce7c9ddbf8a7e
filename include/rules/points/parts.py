"""The parts of a recovery point: the snapshots of its volumes, its .bak, and what has been made so far."""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import AwareDatetime

from include.rules.points.backup_files import BackupFilePart
from include.rules.points.part_names import PartName as PartName
from include.rules.points.part_names import SnapshotRole as SnapshotRole
from include.rules.register.tenants import DatabaseHost, Strict, Tenant, WebHost


def host_of(tenant: Tenant, role: SnapshotRole) -> WebHost | DatabaseHost:
    """The host whose volume a snapshot of this role shows: the half of the tenant's entry that names it."""
    return tenant.web if role is SnapshotRole.WEB else tenant.database


class ClaimName(NamedTuple):
    """Which shared snapshot: the names in the key of its document."""

    volume: str
    id: str

    def __str__(self) -> str:
        return f"{self.id} of volume {self.volume}"


class SnapshotPart(Strict):
    """One EBS snapshot.

    Attributes:
        started_at: Amazon's own StartTime: the moment whose bytes the snapshot holds.
        size_gib: Size of the volume, in GiB.
        consistency: "crash": the bytes of one moment, as after a power cut. Nobody told the application.
        claim: Id of the shared snapshot of `volume_id` that it is; empty for one that belongs to this point alone.
    """

    snapshot_id: str
    volume_id: str
    started_at: AwareDatetime
    size_gib: int
    consistency: Literal["crash"] = "crash"
    claim: str = ""

    @property
    def claim_name(self) -> ClaimName | None:
        """The shared snapshot that it is; None for one that belongs to this point alone."""
        return ClaimName(self.volume_id, self.claim) if self.claim else None


class Parts(Strict):
    """What has been made so far."""

    web_snapshot: SnapshotPart | None = None
    db_snapshot: SnapshotPart | None = None
    bak: BackupFilePart | None = None

    def get(self, name: PartName) -> SnapshotPart | BackupFilePart | None:
        """The part of this name; None when it is not there (yet)."""
        part: SnapshotPart | BackupFilePart | None = getattr(self, name)
        return part

    @property
    def names(self) -> tuple[PartName, ...]:
        """Names of the parts that are there, in the order in which they are made."""
        return tuple(name for name in PartName if self.get(name) is not None)

    def missing(self) -> tuple[PartName, ...]:
        """Names of the parts that are not there yet, in the same order."""
        return tuple(name for name in PartName if self.get(name) is None)

    @property
    def identities(self) -> tuple[str, ...]:
        """What tells these parts from others of the same point: ids of its snapshots, and the keys of its .bak."""
        return (*self.snapshot_ids, *(self.bak.keys if self.bak else ()))

    @property
    def snapshots(self) -> tuple[SnapshotPart, ...]:
        """The snapshots that are there, in the same order."""
        return tuple(part for part in (self.web_snapshot, self.db_snapshot) if part)

    @property
    def own_snapshot_ids(self) -> tuple[str, ...]:
        """Ids of those snapshots that belong to this point alone."""
        return tuple(part.snapshot_id for part in self.snapshots if not part.claim)

    @property
    def snapshot_ids(self) -> tuple[str, ...]:
        """Ids of the snapshots that are there, in the same order."""
        return tuple(part.snapshot_id for part in self.snapshots)

    @property
    def claims(self) -> frozenset[ClaimName]:
        """The shared snapshots among these parts."""
        return frozenset(name for part in self.snapshots if (name := part.claim_name))

    @property
    def seconds_apart(self) -> int | None:
        """From the start of the earliest snapshot to the end of the .bak, by Amazon's and the server's clocks: what is
        in one part and not in another was written in that time. None while one of the two is not there.
        """
        starts = [part.started_at for part in self.snapshots]
        if not starts or self.bak is None:
            return None
        return round(abs((self.bak.finished_at - min(starts)).total_seconds()))
