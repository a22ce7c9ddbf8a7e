"""What a preview looks at on the hosts and in AWS: the folder that files go to, and the snapshots."""

from __future__ import annotations

import asyncio

from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotRole
from include.rules.register.tenants import Tenant
from include.rules.restore.host_survey import FolderFacts, HostSurvey
from include.rules.restore.request import RestoreRequest
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.hosts import translate_script_errors
from perennial.restore.site import inspect_folder
from perennial.settings import Settings

COUNT_SECONDS = 60
"""When a host gives up counting files."""


async def survey_host(settings: Settings, request: RestoreRequest, point: Manifest, target: Tenant) -> HostSurvey:
    """Look at the folder of the target's web host and at the point's snapshots, side by side.

    Raises:
        UnavailableError: when a host or AWS does not answer.
    """
    async with asyncio.TaskGroup() as group:
        folder = group.create_task(_folder(settings, request, target)) if request.takes_files else None
        snapshots = group.create_task(_snapshots(settings, point))
    return HostSurvey(folder=folder.result() if folder else None, snapshots=snapshots.result())


async def _folder(settings: Settings, request: RestoreRequest, target: Tenant) -> FolderFacts:
    folder = request.folder or target.web.path
    with translate_script_errors(
        f"Folder {folder} of tenant {target.id} could not be looked at",
        why="Nothing was restored.",
        todo="Check that the web host runs, that its SSM agent is online, and that the folder can be read.",
    ):
        what_for = f"{request.restore_id} preview"
        answer = await inspect_folder(settings, target.web, folder, what_for, count_seconds=COUNT_SECONDS)
    return FolderFacts(
        exists=answer["exists"],
        empty=answer["empty"],
        files=answer["files"] if answer["counted"] else None,
        bytes=answer["bytes"] if answer["counted"] else None,
        free_bytes=answer["free_bytes"],
        no_folder=answer["no_folder"],
        real=answer["real"],
        mounts=tuple(answer["mounts"]),
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
        elif snapshots[part.snapshot_id].state != "completed":
            unusable[role] = f"snapshot {part.snapshot_id} is {snapshots[part.snapshot_id].described_state}"
    return unusable
