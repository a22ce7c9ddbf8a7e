"""EC2 of the lab: moto's, with volumes, attachments and snapshots on folders, and lists as AWS gives them."""

from __future__ import annotations

import math
import time
from typing import Any, cast

from moto.core.responses import ActionResult
from moto.ec2 import urls
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_block_store import Volume, VolumeAttachment
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

from lab.cloud.data_plane import DataPlane
from lab.cloud.images import WINDOWS_IMAGE, windows_image
from lab.cloud.knobs import Knobs
from lab.cloud.new_volumes import ClientTokens, refuse_new_volume
from lab.cloud.snapshot_calls import SnapshotCalls
from lab.cloud.snapshots import SnapshotsOnFolders
from lab.cloud.state import State

_WILDCARDS = frozenset("*?[\\")


class LabEC2Backend(SnapshotsOnFolders):
    """What EC2 knows in one account and region."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.client_tokens = ClientTokens()
        self.amis[WINDOWS_IMAGE] = windows_image(self)

    @property
    def _url_module(self) -> Any:
        """moto derives this module's name from the name of the backend's module, which is not moto's here."""
        return urls

    def describe_tags(self, filters: dict[str, list[str]] | None = None) -> list[dict[str, str]]:
        """As moto, but tags of given resources are looked up: moto's way reads all tags of the account for each."""
        ids = filters["resource-id"] if filters and filters.keys() == {"resource-id"} else []
        if not ids or any(_WILDCARDS & set(resource_id) for resource_id in ids):
            return super().describe_tags(filters)
        return [
            {"resource_id": tagged_id, "resource_type": _resource_type(tagged_id), "key": key, "value": value}
            for tagged_id in ids
            for key, value in self.tags.get(tagged_id, {}).items()
        ]


class LabEC2Response(SnapshotCalls):
    """The calls whose parameters moto does not read."""

    def describe_volumes(self) -> ActionResult:
        """With pages, and without what is too new to be seen, where the lab's look-ups lag."""
        answer = super().describe_volumes()
        hidden = self.hidden_since()
        seen = [volume for volume in cast(Any, answer.result)["Volumes"] if volume.create_time.timestamp() <= hidden]
        page, token = self._asked_page(seen, _age_and_id, "volumeSet")
        return ActionResult({"Volumes": page, "NextToken": token})

    def create_volume(self) -> ActionResult:
        """Once for each ClientToken: a client that lost the answer and asks again gets the volume it made."""
        backend, token = self._lab_backend, self._get_param("ClientToken")
        parameters = {name: value for name, value in self.params.items() if name not in ("ClientToken", "DryRun")}
        if token and (volume := backend.client_tokens.made(token, parameters)):
            return ActionResult(volume)
        snapshot_id, size = self._get_param("SnapshotId"), self._get_param("Size")
        if size is None and snapshot_id:
            size = backend.get_snapshot(snapshot_id).volume_size
        zones = {zone.name for zone in backend.describe_availability_zones()}
        refuse_new_volume(self._get_param("AvailabilityZone"), zones, self._get_param("VolumeType"), size)
        answer = super().create_volume()
        if token:
            backend.client_tokens.keep(token, parameters, cast(Volume, answer.result))
        return answer

    def delete_volume(self) -> ActionResult:
        """As moto, and not before the volume is made."""
        volume = self._lab_backend.get_volume(self._get_param("VolumeId"))
        if volume.status == "creating":
            raise EC2ClientError("IncorrectState", f"Volume '{volume.id}' is in the 'creating' state.")
        return super().delete_volume()

    def attach_volume(self) -> ActionResult:
        self.error_on_dryrun()
        attachment = self._lab_backend.start_attaching(
            self._get_param("VolumeId"), self._get_param("InstanceId"), self._get_param("Device")
        )
        return ActionResult(_attachment_form(attachment))

    def detach_volume(self) -> ActionResult:
        self.error_on_dryrun()
        attachment = self._lab_backend.start_detaching(
            self._get_param("VolumeId"),
            self._get_param("InstanceId"),
            self._get_param("Device"),
            self._get_bool_param("Force", False),
        )
        return ActionResult(_attachment_form(attachment))

    @property
    def _lab_backend(self) -> LabEC2Backend:
        return cast(LabEC2Backend, self.ec2_backend)


def _attachment_form(attachment: VolumeAttachment) -> dict[str, Any]:
    return {
        "VolumeId": attachment.volume_id,
        "InstanceId": attachment.instance_id,
        "Device": attachment.device,
        "State": attachment.status,
        "AttachTime": attachment.attach_time,
    }


def _age_and_id(volume: Volume) -> str:
    return f"{volume.create_time.isoformat()} {volume.id}"


def _resource_type(resource_id: str) -> str:
    return EC2_PREFIX_TO_RESOURCE.get(get_prefix(resource_id), "")


def lab_backends() -> list[LabEC2Backend]:
    """EC2 of every account and region that has been used."""
    backends = [backend for _, _, backend in ec2_backends.iter_backends()]
    return [backend for backend in backends if isinstance(backend, LabEC2Backend)]


def settle() -> bool:
    """Carry out everywhere what attaching and detaching has come to be due; whether it was anything."""
    settled = [backend.settle(time.time()) for backend in lab_backends()]
    return any(settled)


def restore_folders(plane: DataPlane) -> None:
    """Make the folders agree with the metadata again after the server was killed between the two."""
    backends = lab_backends()
    for backend in backends:
        backend.settle(math.inf)  # whoever was to do it in time is gone
    instances = [found for backend in backends for found in backend.all_instances() if found.state != "terminated"]
    plane.sweep(
        volumes={volume_id for backend in backends for volume_id in backend.volumes},
        snapshots={snapshot_id for backend in backends for snapshot_id in backend.snapshots},
        hosts={instance.id for instance in instances},
    )
    for instance in instances:
        plane.keep_devices(instance.id, {device: held.volume_id for device, held in instance.get_block_device_mapping})


def install(plane: DataPlane, state: State, knobs: Knobs) -> None:
    """Make moto use this EC2 from now on: call it before anything asked moto for a backend."""
    LabEC2Backend.plane, LabEC2Backend.cloud = plane, state
    LabEC2Backend.volume_seconds = knobs.volume_seconds
    LabEC2Backend.snapshot_seconds = knobs.snapshot_seconds
    LabEC2Backend.limits = knobs.limits
    LabEC2Response.usual_lag = knobs.lag_seconds
    ec2_backends.backend = LabEC2Backend
    urls.url_paths["{0}/"] = LabEC2Response.dispatch
