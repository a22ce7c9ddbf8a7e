"""What a preview looks at on the hosts and in AWS: the folder that files go to, and the snapshots."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotRole, host_of
from include.rules.register.tenants import Tenant
from include.rules.restore.host_survey import AttachedVolumes, FolderFacts, HostSurvey
from include.rules.restore.request import RestoreRequest
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.hosts import translate_script_errors
from perennial.restore.site import inspect_folder
from perennial.settings import Settings

COUNT_SECONDS = 60
"""When a host gives up counting files."""


async def survey_host(settings: Settings, request: RestoreRequest, point: Manifest, target: Tenant) -> HostSurvey:
    """Look, side by side, at the folders on the target's web host, at its hosts' volumes and at the point's snapshots.

    Raises:
        UnavailableError: when a host or AWS does not answer.
    """
    taken = {SnapshotRole.WEB: request.takes_files, SnapshotRole.DATABASE: request.takes_database}
    beside = {SnapshotRole.WEB: request.folder, SnapshotRole.DATABASE: request.database}
    replaced = [role for role in SnapshotRole if taken[role] and beside[role] is None]
    instances = {host_of(target, role).instance for role in SnapshotRole if taken[role]}
    async with asyncio.TaskGroup() as group:
        folder = group.create_task(_folder_asked_for(settings, request, target)) if request.takes_files else None
        site = group.create_task(_site(settings, request, target)) if replaced else None
        snapshots = group.create_task(_snapshots(settings, point))
        volumes = {instance: group.create_task(_attached(settings, instance)) for instance in instances}
    return HostSurvey(
        folder=folder.result() if folder else None,
        snapshots=snapshots.result(),
        site=site.result() if site else None,
        volumes={instance: seen for instance, task in volumes.items() if (seen := task.result())},
    )


async def _attached(settings: Settings, instance: str) -> AttachedVolumes | None:
    """What AWS shows of a host's volumes; None when it shows none."""
    volumes = await Ebs.of(settings).volumes_of_host(instance)
    if not volumes:
        return None
    return AttachedVolumes(volumes[0].zone, frozenset(volume.device for volume in volumes))


async def _folder_asked_for(settings: Settings, request: RestoreRequest, target: Tenant) -> FolderFacts:
    folder, what_for = request.folder or target.web.path, f"{request.restore_id} preview"
    return await _folder(settings, target, folder, what_for, COUNT_SECONDS)


async def _site(settings: Settings, request: RestoreRequest, target: Tenant) -> FolderFacts:
    """The tenant's own folder, where the marker goes; its files are not counted."""
    return await _folder(settings, target, target.web.path, f"{request.restore_id} preview site", 0.1)


async def _folder(settings: Settings, target: Tenant, folder: str, what_for: str, seconds: float) -> FolderFacts:
    with translate_script_errors(
        f"Folder {folder} of tenant {target.id} could not be looked at",
        why="Nothing was restored.",
        todo="Check that the web host runs, that its SSM agent is online, and that the folder can be read.",
    ):
        answer = await inspect_folder(settings, target.web, folder, what_for, count_seconds=seconds)
    return FolderFacts(
        exists=answer["exists"],
        empty=answer["empty"],
        files=answer["files"] if answer["counted"] else None,
        bytes=answer["bytes"] if answer["counted"] else None,
        free_bytes=answer["free_bytes"],
        no_folder=answer["no_folder"],
        real=answer["real"],
        mounts=tuple(answer["mounts"]),
        free_inodes=answer["free_inodes"],
        writable=answer["writable"],
        free_letter=answer.get("free_letter", True),
    )


async def _snapshots(settings: Settings, point: Manifest) -> dict[SnapshotRole, str]:
    """Why the snapshot of a role cannot be used."""
    parts = {role: point.snapshot(role) for role in SnapshotRole}
    snapshots = await Ebs.of(settings).snapshots(point.parts.snapshot_ids)
    unusable = {}
    for role, part in parts.items():
        if part is None:
            unusable[role] = f"it has no {role.value} ({point.left_out.get(role.value, 'nobody knows why')})"
        elif part.snapshot_id not in snapshots:
            unusable[role] = f"snapshot {part.snapshot_id} is gone"
        elif why := snapshots[part.snapshot_id].why_unusable(datetime.now(UTC)):
            unusable[role] = f"snapshot {part.snapshot_id} {why}"
    return unusable
