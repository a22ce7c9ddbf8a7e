"""Attaching volumes to hosts and taking them off, as strict as AWS is.

A device that is still mounted does not come off: its attachment stays `busy`, and the volume `in-use`, until somebody
unmounts it, the volume is detached by force, or the host stops.
https://docs.aws.amazon.com/ebs/latest/userguide/ebs-detaching-volume.html
"""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_block_store import VolumeAttachment
from moto.ec2.models.instances import Instance, InstanceState, Reservation

from lab.cloud.volumes import VolumesOnFolders

_RUNNING, _STOPPED = 16, 80


class AttachmentsOnFolders(VolumesOnFolders):
    """moto's EC2 whose attached volumes show on the host."""

    def run_instances(self, *args: Any, **kwargs: Any) -> Reservation:
        """As moto; every host gets its root folder."""
        reservation = super().run_instances(*args, **kwargs)
        for instance in reservation.instances:
            self.plane.host(instance.id).mkdir(exist_ok=True)
        return reservation

    def attach_volume(
        self, volume_id: str, instance_id: str, device_path: str, delete_on_termination: bool = False
    ) -> VolumeAttachment | None:
        """As moto, refusing a volume in use, a device in use, another zone and a host that is gone."""
        volume, instance = self.get_volume(volume_id), self.get_instance(instance_id)
        if volume.attachment:
            raise EC2ClientError("VolumeInUse", f"{volume_id} is already attached to an instance")
        if instance.state_code not in (_RUNNING, _STOPPED):
            raise EC2ClientError("IncorrectState", f"Instance '{instance_id}' is not 'running' or 'stopped'.")
        if device_path in instance.block_device_mapping:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"Invalid value '{device_path}' for unixDevice. Attachment point {device_path} is already in use",
            )
        if volume.availability_zone != instance.availability_zone:
            raise EC2ClientError(
                "InvalidVolume.ZoneMismatch",
                f"The volume '{volume_id}' is not in the same availability zone as instance '{instance_id}'",
            )
        attachment = super().attach_volume(volume_id, instance_id, device_path, delete_on_termination)
        self.plane.attach(volume_id, instance_id, device_path)
        return attachment

    def detach_volume(self, volume_id: str, instance_id: str | None, device_path: str | None) -> VolumeAttachment:
        """Detach now, or leave the attachment `busy` when the running host still has the device mounted."""
        attachment = self.get_volume(volume_id).attachment
        if attachment is None:
            raise EC2ClientError("IncorrectState", f"Volume '{volume_id}' is in the 'available' state.")
        if instance_id not in (None, attachment.instance_id) or device_path not in (None, attachment.device):
            raise EC2ClientError(
                "InvalidAttachment.NotFound",
                f"Volume '{volume_id}' is not attached to instance '{instance_id}' as device '{device_path}'",
            )
        if self._is_held(attachment):
            attachment.status = "busy"
            return attachment
        return self.force_detach(attachment)

    def force_detach(self, attachment: VolumeAttachment) -> VolumeAttachment:
        """Detach whatever the host says."""
        self.plane.detach(attachment.instance_id, attachment.device)
        return super().detach_volume(attachment.volume_id, attachment.instance_id, attachment.device)

    def finish_detachments(self) -> bool:
        """Detach what was busy and has been unmounted since; whether there was any."""
        attachments = [volume.attachment for volume in self.volumes.values() if volume.attachment]
        ready = [found for found in attachments if found.status == "busy" and not self._is_held(found)]
        for attachment in ready:
            self.force_detach(attachment)
        return bool(ready)

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
