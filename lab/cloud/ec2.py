"""EC2 of the lab: moto's, with volumes, attachments and snapshots on folders, and lists as AWS gives them."""

from __future__ import annotations

from typing import Any, cast

from moto.core.responses import ActionResult
from moto.ec2 import urls
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_block_store import Snapshot, Volume
from moto.ec2.responses import EC2Response
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

from lab.cloud.data_plane import DataPlane
from lab.cloud.paging import page_of
from lab.cloud.snapshots import SnapshotsOnFolders
from lab.cloud.state import State

_WILDCARDS = frozenset("*?[\\")
_SMALLEST_PAGE, _LARGEST_PAGE = 5, 1000


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


class LabEC2Response(EC2Response):
    """The calls whose parameters moto does not read."""

    def describe_snapshots(self) -> ActionResult:
        """With owners and pages; without MaxResults everything comes at once, as on AWS."""
        ids, size = self._get_param("SnapshotIds", []), self._get_param("MaxResults")
        if ids and size:
            raise EC2ClientError(
                "InvalidParameterCombination", "The parameter snapshotSet cannot be used with the parameter maxResults"
            )
        for snapshot_id in ids:
            self.ec2_backend.get_snapshot(snapshot_id)
        found = self.ec2_backend.describe_snapshots(ids, self._filters_from_querystring())
        if owners := {self.current_account if owner == "self" else owner for owner in self._get_param("OwnerIds", [])}:
            found = [snapshot for snapshot in found if snapshot.owner_id in owners]
        if size is None:
            return ActionResult({"Snapshots": found})
        if int(size) < _SMALLEST_PAGE:
            raise EC2ClientError(
                "InvalidParameterValue",
                f"Value ( {size} ) for parameter maxResults is invalid. Expecting at least {_SMALLEST_PAGE}.",
            )
        return self._snapshot_page(found, min(int(size), _LARGEST_PAGE))

    def _snapshot_page(self, found: list[Snapshot], size: int) -> ActionResult:
        try:
            page, token = page_of(found, _age_and_id, size, self._get_param("NextToken"))
        except ValueError as error:
            raise EC2ClientError("InvalidParameterValue", str(error)) from error
        return ActionResult({"Snapshots": page, **({"NextToken": token} if token else {})})

    def create_snapshots(self) -> ActionResult:
        """Without the volumes the caller excludes, and with their tags if asked for."""
        specification = self._get_param("InstanceSpecification")
        instance = self.ec2_backend.get_instance(specification["InstanceId"])
        self.error_on_dryrun()
        excluded = set(specification.get("ExcludeDataVolumeIds", []))
        if str(specification.get("ExcludeBootVolume", False)).lower() == "true":
            boot = instance.block_device_mapping.get(instance.root_device_name)
            excluded.update([boot.volume_id] if boot else [])
        tags = self._parse_tag_specification().get("snapshot", {})
        copied = self._get_param("CopyTagsFromSource") == "volume"
        snapshots = []
        for _, device in instance.get_block_device_mapping:
            if device.volume_id in excluded:
                continue
            snapshot = self.ec2_backend.create_snapshot(device.volume_id, self._get_param("Description", ""))
            source_tags = self.ec2_backend.tags.get(device.volume_id, {}) if copied else {}
            snapshot.add_tags({**source_tags, **tags})
            snapshots.append(snapshot)
        return ActionResult({"Snapshots": snapshots})

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


def _age_and_id(snapshot: Snapshot) -> str:
    return f"{snapshot.start_time.isoformat()} {snapshot.id}"


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


def install(plane: DataPlane, state: State, snapshot_seconds: float) -> None:
    """Make moto use this EC2 from now on: call it before anything asked moto for a backend."""
    LabEC2Backend.plane, LabEC2Backend.cloud = plane, state
    LabEC2Backend.snapshot_seconds = snapshot_seconds
    ec2_backends.backend = LabEC2Backend
    urls.url_paths["{0}/"] = LabEC2Response.dispatch
