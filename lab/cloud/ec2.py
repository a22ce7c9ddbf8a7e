"""EC2 of the lab: moto's, with volumes, attachments and snapshots on folders, and lists as AWS gives them."""

from __future__ import annotations

from typing import Any, cast

from moto.core.responses import ActionResult
from moto.ec2 import urls
from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_block_store import Volume
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

from lab.cloud.data_plane import DataPlane
from lab.cloud.knobs import Knobs
from lab.cloud.snapshot_calls import SnapshotCalls
from lab.cloud.snapshots import SnapshotsOnFolders
from lab.cloud.state import State

_WILDCARDS = frozenset("*?[\\")


class LabEC2Backend(SnapshotsOnFolders):
    """What EC2 knows in one account and region."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.volume_tokens: dict[str, str] = {}

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
            {"resource_id": found, "resource_type": _resource_type(found), "key": key, "value": value}
            for found in ids
            for key, value in self.tags.get(found, {}).items()
        ]


class LabEC2Response(SnapshotCalls):
    """The calls whose parameters moto does not read."""

    def describe_volumes(self) -> ActionResult:
        """Without what is too new to be seen, where the lab's look-ups lag."""
        answer = super().describe_volumes()
        hidden = self.hidden_since()
        seen = [volume for volume in cast(Any, answer.result)["Volumes"] if volume.create_time.timestamp() <= hidden]
        return ActionResult({"Volumes": seen})

    def create_volume(self) -> ActionResult:
        """Once for each ClientToken: a client that lost the answer and asks again gets the volume it made."""
        backend, token = self._lab_backend, self._get_param("ClientToken")
        made = backend.volumes.get(backend.volume_tokens.get(token, "")) if token else None
        if made:
            return ActionResult(made)
        answer = super().create_volume()
        if token:
            backend.volume_tokens[token] = cast(Volume, answer.result).id
        return answer

    def detach_volume(self) -> ActionResult:
        """With Force, which breaks off a mount."""
        if self._get_bool_param("Force", False):
            self.error_on_dryrun()
            backend = self._lab_backend
            if attachment := backend.get_volume(self._get_param("VolumeId")).attachment:
                backend.plane.unmount(attachment.instance_id, attachment.device)
        return super().detach_volume()

    @property
    def _lab_backend(self) -> LabEC2Backend:
        return cast(LabEC2Backend, self.ec2_backend)


def _resource_type(resource_id: str) -> str:
    return EC2_PREFIX_TO_RESOURCE.get(get_prefix(resource_id), "")


def lab_backends() -> list[LabEC2Backend]:
    """EC2 of every account and region that has been used."""
    found = [backend for _, _, backend in ec2_backends.iter_backends()]
    return [backend for backend in found if isinstance(backend, LabEC2Backend)]


def finish_detachments() -> bool:
    """Detach everywhere what was busy and has been unmounted since; whether there was any."""
    finished = [backend.finish_detachments() for backend in lab_backends()]
    return any(finished)


def restore_folders(plane: DataPlane) -> None:
    """Make the folders agree with the metadata again after the server was killed between the two."""
    backends = lab_backends()
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
    LabEC2Backend.snapshot_seconds = knobs.snapshot_seconds
    LabEC2Backend.snapshot_interval_seconds = knobs.snapshot_interval_seconds
    LabEC2Response.usual_lag = knobs.lag_seconds
    ec2_backends.backend = LabEC2Backend
    urls.url_paths["{0}/"] = LabEC2Response.dispatch
