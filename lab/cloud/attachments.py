"""Attaching volumes to hosts and taking them off, as strict as AWS is, and no faster.

The host sees a device when its volume is `attached`, and until it is no longer `detaching`. A device that is still
mounted then does not come off: its attachment stays `busy`, and the volume `in-use`, until somebody unmounts it, the
volume is detached by force, or the host stops.
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-detaching-volume.html
"""

from __future__ import annotations

import time
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_block_store import VolumeAttachment
from moto.ec2.models.instances import Instance, InstanceState, Reservation

from lab.cloud.devices import is_device_name, place
from lab.cloud.volumes import VolumesOnFolders

_RUNNING, _STOPPED = 16, 80


class AttachmentsOnFolders(VolumesOnFolders):
    """moto's EC2 whose attached volumes show on the host."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._moving_until: dict[str, float] = {}  # by volume: when it is done attaching or detaching, since 1970

    def run_instances(self, *args: Any, **kwargs: Any) -> Reservation:
        """As moto; every host gets its root folder."""
        reservation = super().run_instances(*args, **kwargs)
        for instance in reservation.instances:
            self.plane.host(instance.id).mkdir(exist_ok=True)
        return reservation

    def start_attaching(self, volume_id: str, instance_id: str, device: str) -> VolumeAttachment:
        """What AttachVolume does: the device shows after a while.

        Refused are a volume that is not available, a device in use or unheard of, another zone, a host that is gone.
        """
        volume, instance = self.get_volume(volume_id), self.get_instance(instance_id)
        if volume.attachment:
            raise EC2ClientError("VolumeInUse", f"{volume_id} is already attached to an instance")
        if volume.status != "available":
            raise EC2ClientError("IncorrectState", f"{volume_id} is not 'available'.")
        if instance.state_code not in (_RUNNING, _STOPPED):
            raise EC2ClientError("IncorrectState", f"Instance '{instance_id}' is not 'running' or 'stopped'.")
        if not is_device_name(device, instance.platform):
            raise EC2ClientError(
                "InvalidParameterValue",
                f"Value ({device}) for parameter device is invalid. {device} is not a valid EBS device name.",
            )
        taken = {place(name) for name in instance.block_device_mapping}
        if place(device) in taken or self.plane.has_other_device(instance_id, device):
            raise EC2ClientError(
                "InvalidParameterValue",
                f"Invalid value '{device}' for unixDevice. Attachment point {device} is already in use",
            )
        if volume.availability_zone != instance.availability_zone:
            raise EC2ClientError(
                "InvalidVolume.ZoneMismatch",
                f"The volume '{volume_id}' is not in the same availability zone as instance '{instance_id}'",
            )
        super().attach_volume(volume_id, instance_id, device)
        attachment = volume.attachment
        assert attachment is not None  # noqa: S101 - moto has just made it
        self._move(attachment, "attaching")
        return attachment

    def start_detaching(
        self, volume_id: str, instance_id: str | None, device: str | None, force: bool
    ) -> VolumeAttachment:
        """What DetachVolume does: the device goes after a while, if the host does not have it mounted then.

        Args:
            force: Break a mount off.
        """
        attachment = self.get_volume(volume_id).attachment
        if attachment is None:
            raise EC2ClientError("IncorrectState", f"Volume '{volume_id}' is in the 'available' state.")
        if instance_id not in (None, attachment.instance_id) or device not in (None, attachment.device):
            raise EC2ClientError(
                "InvalidAttachment.NotFound",
                f"Volume '{volume_id}' is not attached to instance '{instance_id}' as device '{device}'",
            )
        if force:
            self.plane.unmount(attachment.instance_id, attachment.device)
        if attachment.status in ("attaching", "attached"):
            self._move(attachment, "detaching")
        return attachment

    def attach_volume(
        self, volume_id: str, instance_id: str, device_path: str, delete_on_termination: bool = False
    ) -> VolumeAttachment | None:
        """Attach at once: moto calls this for the disks a host starts with."""
        attachment = super().attach_volume(volume_id, instance_id, device_path, delete_on_termination)
        self.plane.attach(volume_id, instance_id, device_path)
        return attachment

    def detach_volume(self, volume_id: str, instance_id: str, device_path: str) -> VolumeAttachment:
        """Detach at once, whatever the host says: moto calls this for the disks of a host that is terminated."""
        attachment = self.get_volume(volume_id).attachment
        if attachment:
            self.plane.detach(attachment.instance_id, attachment.device)
        self._moving_until.pop(volume_id, None)
        return super().detach_volume(volume_id, instance_id, device_path)

    def settle(self, now: float) -> bool:
        """Carry out what is due `now` (seconds since 1970), and what was busy until now; whether it was anything."""
        due = [volume_id for volume_id, end in self._moving_until.items() if end <= now]
        attachments = [self.volumes[volume_id].attachment for volume_id in due]
        settled = [self._settle_one(attachment) for attachment in attachments if attachment]
        return any(settled)

    def _settle_one(self, attachment: VolumeAttachment) -> bool:
        before = attachment.status
        if before == "attaching":
            self.plane.attach(attachment.volume_id, attachment.instance_id, attachment.device)
            attachment.status = "attached"
            del self._moving_until[attachment.volume_id]
        elif self._is_held(attachment):
            attachment.status = "busy"
        else:
            self.detach_volume(attachment.volume_id, attachment.instance_id, attachment.device)
        return attachment.status != before

    def _move(self, attachment: VolumeAttachment, status: str) -> None:
        attachment.status = status
        end = self._moving_until[attachment.volume_id] = time.time() + self.volume_seconds
        self.cloud.after(self.volume_seconds, lambda: self.settle(end))

    def stop_instances(self, instance_ids: list[str]) -> list[tuple[Instance, InstanceState]]:
        """As moto; a stopped host has nothing mounted."""
        stopped = super().stop_instances(instance_ids)
        self._unmount_all(instance_ids)
        return stopped

    def terminate_instances(self, instance_ids: list[str]) -> list[tuple[Instance, InstanceState]]:
        """As moto; the host's folder goes with it, volumes made apart from it stay."""
        self._unmount_all(instance_ids)
        terminated = super().terminate_instances(instance_ids)
        for instance, _ in terminated:
            self.cloud.discard(self.plane.host(instance.id))
        return terminated

    def _is_held(self, attachment: VolumeAttachment) -> bool:
        instance: Any = attachment.instance
        return instance.state_code == _RUNNING and self.plane.is_mounted(attachment.instance_id, attachment.device)

    def _unmount_all(self, instance_ids: list[str]) -> None:
        for instance_id in instance_ids:
            for device in self.get_instance(instance_id).block_device_mapping:
                self.plane.unmount(instance_id, device)
