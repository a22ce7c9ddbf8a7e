"""Volumes: made empty or from a snapshot, `creating` for a while, with the refusals of AWS that moto leaves out."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.elastic_block_store import Volume

from lab.cloud.data_plane import DataPlane
from lab.cloud.state import State


class TimedVolume(Volume):
    """A volume that becomes available by itself."""

    def __init__(self, made: Volume, seconds: float) -> None:
        """Take the place of a volume that moto has `made`; it is creating for so many seconds."""
        vars(self).update(vars(made))
        self.available_at = time.time() + seconds

    @property
    def status(self) -> str:
        if self.attachment:
            return "in-use"
        return "available" if time.time() >= self.available_at else "creating"


class VolumesOnFolders(EC2Backend):
    """moto's EC2 whose volumes have content and take their time.

    Attributes:
        volume_seconds: How long a volume is creating, attaching or detaching.
    """

    plane: ClassVar[DataPlane]
    cloud: ClassVar[State]
    volume_seconds: ClassVar[float]

    def create_volume(  # type: ignore[override]
        self, size: Any, zone_name: str, snapshot_id: str | None = None, **options: Any
    ) -> Volume:
        """As moto, refusing a snapshot that is not completed and a size below the snapshot's."""
        if snapshot_id:
            snapshot = self.get_snapshot(snapshot_id)
            if snapshot.status != "completed":
                raise EC2ClientError(
                    "IncorrectState", f"Snapshot {snapshot_id} is in invalid state - {snapshot.status}"
                )
            if snapshot.storage_tier == "archive" and snapshot.restore_expiry_time is None:
                raise EC2ClientError(  # code and text not seen from AWS
                    "IncorrectState", f"Snapshot {snapshot_id} is in the archive storage tier. Restore it first."
                )
            if size is not None and int(size) < snapshot.volume_size:
                raise EC2ClientError(
                    "InvalidParameterValue",
                    f"Volume of {size}GiB is smaller than snapshot '{snapshot_id}', expect size "
                    f">= {snapshot.volume_size}GiB",
                )
        plain = super().create_volume(size, zone_name, snapshot_id, **options)
        volume = self.volumes[plain.id] = TimedVolume(  # type: ignore[abstract]
            plain, self.volume_seconds
        )
        self.plane.note_size(volume.id, volume.size)
        if snapshot_id:
            self.plane.copy(self.plane.snapshot(snapshot_id), self.plane.volume(volume.id))
        else:
            self.plane.volume(volume.id).mkdir()
        return volume

    def delete_volume(self, volume_id: str) -> Volume:
        """As moto (a volume in use is refused); its content goes with it."""
        volume = super().delete_volume(volume_id)
        self.cloud.discard(self.plane.volume(volume_id))
        return volume
