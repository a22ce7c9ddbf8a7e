"""Snapshots: the bytes of the moment they were asked for, `pending` for a while, `completed` or `error` after it.

Limits and refusals: https://docs.aws.amazon.com/ebs/latest/userguide/ebs-resource-quotas.html
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar, cast

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_block_store import Snapshot, Volume
from moto.ec2.utils import random_snapshot_id

from lab.cloud.attachments import AttachmentsOnFolders
from lab.cloud.limits import Limits
from lab.cloud.locks import LockRefusedError, SnapshotLock, new_lock, replaced, utc_now

HDD = ("st1", "sc1")
LONGEST_DESCRIPTION = 255
STATES = ("pending", "completed", "error")


class TimedSnapshot(Snapshot):
    """A snapshot that completes by itself `seconds` after its start, unless its state was set by hand."""

    lock: SnapshotLock | None = None

    def __init__(self, *args: Any, seconds: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seconds = seconds
        self.asked_at = time.time()
        self.state_set: str | None = None

    @property
    def status(self) -> str:
        if self.state_set:
            return self.state_set
        return "completed" if time.time() >= self.asked_at + self.seconds else "pending"

    @status.setter
    def status(self, _: str) -> None:
        """moto's constructor calls every snapshot completed; ours are so when their time has come."""

    def is_under_way(self, now: float) -> bool:
        """Whether a volume's limit counts it: while it is pending, or would be if it had not been deleted or failed."""
        return self.state_set == "pending" or (self.state_set != "completed" and now < self.asked_at + self.seconds)

    @property
    def state_message(self) -> str | None:
        return "The lab was told to let this snapshot fail." if self.status == "error" else None

    @property
    def tags(self) -> dict[str, str]:
        found: dict[str, str] = self.ec2_backend.tags.get(self.id, {})
        return found

    def get_filter_value(self, filter_name: str, method_name: str | None = None) -> Any:
        """As moto, but a tag is looked up: moto lists all tags of the snapshot for it."""
        if filter_name.startswith("tag:"):
            return self.tags.get(filter_name.removeprefix("tag:"))
        return super().get_filter_value(filter_name, method_name)

    @property
    def completes_at(self) -> datetime:
        return datetime.fromtimestamp(self.asked_at + self.seconds, UTC)

    @property
    def progress(self) -> str:
        if self.status == "completed":
            return "100%"
        return f"{min(99, int(100 * (time.time() - self.asked_at) / max(self.seconds, 0.001)))}%"


class SnapshotsOnFolders(AttachmentsOnFolders):
    """moto's EC2 whose snapshots have content and take their time.

    Attributes:
        next_state: Where a fault rule holds the snapshots of the call under way; calls are answered one at a time.
    """

    next_state: ClassVar[str] = ""
    snapshot_seconds: ClassVar[float]
    limits: ClassVar[Limits]

    def create_snapshot(
        self, volume_id: str, description: str, owner_id: str | None = None, from_ami: str | None = None
    ) -> Snapshot:
        """Copy the volume now; as on AWS the answer comes while the snapshot is still pending."""
        volume = self.get_volume(volume_id)
        _refuse_long(description)
        if from_ami is None:
            self._respect_limits(volume)
        snapshot = TimedSnapshot(
            self,
            random_snapshot_id(),
            volume,
            description,
            encrypted=volume.encrypted,
            kms_key_id=volume.kms_key_id,
            owner_id=owner_id,
            from_ami=from_ami,
            seconds=self.snapshot_seconds,
        )
        snapshot.state_set = self.next_state or None
        self.plane.copy(self.plane.volume(volume_id), self.plane.snapshot(snapshot.id))
        self.snapshots[snapshot.id] = snapshot
        self._counted(volume_id).append(snapshot)
        return snapshot

    def _owned(self) -> int:
        """The account's own snapshots; images bring some of others."""
        return sum(snapshot.owner_id == self.account_id for snapshot in self.snapshots.values())

    def _counted(self, volume_id: str) -> list[TimedSnapshot]:
        """The snapshots of a volume that its limits count still, deleted ones too."""
        last: dict[str, list[TimedSnapshot]] = vars(self).setdefault("last_snapshots", {})  # older states have none
        return last.setdefault(volume_id, [])

    def _respect_limits(self, volume: Volume) -> None:
        """Refuse a snapshot of a volume with too many under way, or with one too short a time ago; and one too many."""
        now = time.time()
        counted = [
            snapshot
            for snapshot in self._counted(volume.id)
            if snapshot.is_under_way(now) or now < snapshot.asked_at + self.limits.snapshot_interval_seconds
        ]
        self._counted(volume.id)[:] = counted
        under_way = sum(snapshot.is_under_way(now) for snapshot in counted)
        is_hdd = volume.volume_type in HDD
        if under_way >= (self.limits.pending_per_hdd_volume if is_hdd else self.limits.pending_per_volume):
            raise EC2ClientError(
                "ConcurrentSnapshotLimitExceeded",
                f"Maximum allowed in-progress snapshots for a single volume exceeded: {volume.id} has {under_way}.",
            )
        if self._owned() >= self.limits.snapshots_per_region:
            raise EC2ClientError(
                "SnapshotLimitExceeded",
                f"You have reached the limit on the number of snapshots, {self.limits.snapshots_per_region}.",
            )
        if any(now < snapshot.asked_at + self.limits.snapshot_interval_seconds for snapshot in counted):
            raise EC2ClientError(
                "SnapshotCreationPerVolumeRateExceeded",
                "The maximum per volume CreateSnapshot request rate has been exceeded. "
                "Use an increasing or variable sleep interval between requests.",
            )

    def get_snapshot(self, snapshot_id: str) -> TimedSnapshot:
        if snapshot_id not in self.snapshots:
            raise EC2ClientError("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
        return cast(TimedSnapshot, self.snapshots[snapshot_id])

    def delete_snapshot(self, snapshot_id: str) -> Snapshot:
        """Delete a snapshot in any state, a pending one too, unless a lock or an image holds it."""
        current = self.get_snapshot(snapshot_id)
        if current.lock and current.lock.holds(utc_now()):
            raise EC2ClientError(
                "SnapshotLocked",
                f"The snapshot {snapshot_id} is locked until {current.lock.expires_at.isoformat()} "
                "and cannot be deleted.",
            )
        if current.state_set == "pending":  # that it is held is over; how long it counts still is its own time
            current.state_set = None
        snapshot = super().delete_snapshot(snapshot_id)
        self.cloud.discard(self.plane.snapshot(snapshot_id))
        return snapshot

    def lock_snapshot(
        self, snapshot_id: str, mode: str, days: int | None, expires_at: datetime | None, cool_off_hours: int | None
    ) -> TimedSnapshot:
        """Lock a snapshot, a pending one too, or change its lock."""
        snapshot, now = self.get_snapshot(snapshot_id), utc_now()
        starts_at = max(now, snapshot.completes_at)
        try:
            snapshot.lock = replaced(snapshot.lock, new_lock(mode, days, expires_at, cool_off_hours, starts_at, now))
        except LockRefusedError as error:
            raise EC2ClientError(error.code, str(error)) from error
        return snapshot

    def unlock_snapshot(self, snapshot_id: str) -> None:
        """Take a lock off, unless it is a compliance lock whose cooling-off period is over."""
        snapshot = self.get_snapshot(snapshot_id)
        if snapshot.lock is None or not snapshot.lock.holds(utc_now()):
            raise EC2ClientError("SnapshotLockNotFound", f"The snapshot {snapshot_id} is not locked.")
        if snapshot.lock.is_final(utc_now()):
            raise EC2ClientError("SnapshotLocked", f"The snapshot {snapshot_id} is locked in compliance mode.")
        snapshot.lock = None

    def locked_snapshots(self, snapshot_ids: Iterable[str]) -> list[TimedSnapshot]:
        """Snapshots with a lock, expired ones included; of all snapshots where none is named."""
        snapshots = [self.get_snapshot(snapshot_id) for snapshot_id in snapshot_ids or self.snapshots]
        return [snapshot for snapshot in snapshots if snapshot.lock]

    def set_snapshot_state(self, snapshot_id: str, state: str) -> None:
        """Hold a snapshot in one of STATES, for tests of what happens then."""
        snapshot = self.get_snapshot(snapshot_id)
        snapshot.state_set = state


def _refuse_long(description: str | None) -> None:
    if description and len(description) > LONGEST_DESCRIPTION:
        raise EC2ClientError(
            "InvalidParameterValue",
            f"Value ({description}) for parameter description is invalid. It exceeds {LONGEST_DESCRIPTION} characters",
        )
