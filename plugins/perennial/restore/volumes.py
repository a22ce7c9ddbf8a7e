"""The volumes of a restore: asked for so that a crash loses none, found again, and never left behind."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from hashlib import sha256
from typing import ClassVar

from include.rules.errors import UnavailableError
from include.rules.points.leases import Purpose
from include.rules.points.parts import SnapshotRole, host_of
from include.rules.restore.made_volumes import without_volumes
from perennial.hooks import waits
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.ebs_items import PART_TAG, RESTORE_TAG, TENANT_TAG, Volume
from perennial.hooks.aws.errors import AwsRejectedError
from perennial.hooks.aws.hosts import Hosts, ScriptError
from perennial.hooks.vault.leased import LeasedRestore
from perennial.hooks.vault.tenant_lease import released_after, renewing
from perennial.restore.step import RestoreStepTrigger, StepReport
from perennial.steps.trigger import StepResult

COPY_LABELS = {SnapshotRole.WEB: "copy", SnapshotRole.DATABASE: "copy db"}
"""What the script that copies from a volume is called on its host, after the restore's id."""

LOOK_LABELS = {SnapshotRole.WEB: "look", SnapshotRole.DATABASE: "look db"}
"""The same of the script that looks at the volume before anything is copied."""


class RemoveVolumesTrigger(RestoreStepTrigger):
    """Detaches and deletes the volumes of the restore, whatever became of the copy."""

    step: ClassVar[str] = "remove_volumes"

    async def work(self) -> StepResult:
        """Also cleared alone, after the restore was closed: then it takes the lease for it."""
        _settings, request = self.settings, self.request()  # a missing setting is told before a form that is wrong
        record = await self.read_record()
        if record is None or record.closed_at is None:
            return await super().work()
        if not (record.volumes or record.asked_volumes):
            return {"message": "The restore is closed, and no volume of it is left."}
        lease = await self.acquire(request.target, Purpose.RESTORE)
        async with released_after(lease), renewing(lease):
            restore = await LeasedRestore.load(lease, request.restore_id)
            report = await self.act_on(restore)
        return {"message": report.message}

    async def act_on(self, restore: LeasedRestore) -> StepReport:
        problem = await remove_volumes(restore)
        if problem:
            raise UnavailableError(problem)
        return StepReport("No volume is left." if restore.record.plan.snapshots else "There was no volume.")


def token_of_volume(restore: LeasedRestore, role: SnapshotRole) -> str:
    """The client token of the volume that this attempt makes from one part."""
    record = restore.record
    return sha256(f"{restore.vault.settings.vault} {record.id} {role.value} {restore.lease.token}".encode()).hexdigest()


async def ask_for_volume(ebs: Ebs, restore: LeasedRestore, role: SnapshotRole, snapshot_id: str, token: str) -> Volume:
    """Ask for the volume; asked again under the same token it is the same one."""
    record = restore.record
    await restore.lease.check()
    tags = {
        **record.plan.target.tags,
        "Name": f"{record.id} {role.value}",
        TENANT_TAG: record.tenant,
        RESTORE_TAG: record.id,
        PART_TAG: role.value,
    }
    return await ebs.create_volume(snapshot_id, host_of(record.plan.target, role).zone, tags, token=token)


async def remove_volumes(restore: LeasedRestore) -> str:
    """Detach and delete every volume that the restore has made; returns a sentence about what could not be removed."""
    record = restore.record
    ebs = Ebs.of(restore.vault.settings)
    volumes = [(role, volume) for role in SnapshotRole for volume in await _volume_ids(ebs, restore, role)]
    left_ids = [volume for role, volume in volumes if not await _remove(ebs, restore, role, volume)]
    if left_ids:
        return (
            f"Volume {', '.join(left_ids)} could not be detached from the host of tenant {record.tenant} and was left "
            "there. It costs money until it is deleted. See what uses it on the host, detach it, delete it."
        )
    if record.volumes or record.asked_volumes:
        await restore.change(without_volumes)
    return ""


async def _volume_ids(ebs: Ebs, restore: LeasedRestore, role: SnapshotRole) -> list[str]:
    """The volumes that the restore has made from one part: what look-ups show, and what they do not show yet."""
    record = restore.record
    volume_ids = [volume.id for volume in await ebs.volumes_of_restore(record.id, role)]
    if role.value in record.volumes:
        volume_ids.append(record.volumes[role.value])
    if token := record.asked_volumes.get(role.value):
        # Nobody has heard the answer. Asked again it is the same volume; refused, there is none.
        snapshot_id = record.asked_snapshots.get(role.value) or await _snapshot_of_point(restore, role)
        if snapshot_id:
            with suppress(AwsRejectedError):
                volume_ids.append((await ask_for_volume(ebs, restore, role, snapshot_id, token)).id)
    return list(dict.fromkeys(volume_ids))


async def _snapshot_of_point(restore: LeasedRestore, role: SnapshotRole) -> str:
    """Id of the snapshot that the recovery point has, for a record from before it kept what was asked for; empty where
    the point has gone: then look-ups are all there is.
    """
    plan = restore.record.plan
    version = await restore.vault.points.get(plan.source, plan.recovery_point)
    snapshot = version.value.snapshot(role) if version else None
    return snapshot.snapshot_id if snapshot else ""


def mount_name(volume_id: str) -> str:
    """Name of the folder under which a host shows a volume of a restore."""
    return f"perennial-{volume_id}"


async def _unmount(restore: LeasedRestore, role: SnapshotRole, volume_id: str) -> None:
    record, settings = restore.record, restore.vault.settings
    hosts, host = Hosts.of(settings, restore.lease.check), host_of(record.plan.target, role)
    # A host that does not answer may well have let go of the disk: the detaching will tell.
    with suppress(ScriptError, UnavailableError, TimeoutError):
        # A script that is still running (its task was cleared) would be reading from a volume that goes away.
        labels = (settings.run_label(f"{record.id} {label}") for label in (LOOK_LABELS[role], COPY_LABELS[role]))
        await hosts.cancel(host.instance, *labels)
    with suppress(ScriptError, UnavailableError, TimeoutError):
        async with asyncio.timeout(waits.HOST_UNMOUNTED.seconds):
            await hosts.run(
                host.instance,
                host.platform,
                "unmount",
                {"VOLUME_ID": volume_id, "MOUNT_NAME": mount_name(volume_id)},
                label=settings.run_label(f"{record.id} unmount {role.value}"),
                limit=int(waits.HOST_UNMOUNTED.seconds),
            )


async def _remove(ebs: Ebs, restore: LeasedRestore, role: SnapshotRole, volume_id: str) -> bool:
    """Detach and delete a volume; False when its host does not let go of it in time.

    The host is asked more than once: a copy whose SendCommand was under way when its task was ended may begin later.
    """
    end = asyncio.get_running_loop().time() + waits.VOLUME_GONE.seconds
    while asyncio.get_running_loop().time() < end:
        await restore.lease.check()
        volume = await ebs.volume(volume_id)
        # One that is not shown may be too new to be, and attached all the same.
        if volume is None or volume.instance:
            await _unmount(restore, role, volume_id)
            await restore.lease.check()
            await ebs.detach_volume(volume_id)
        if await _delete_once_detached(ebs, restore, volume_id):
            return True
    return False


async def _delete_once_detached(ebs: Ebs, restore: LeasedRestore, volume_id: str) -> bool:
    """Delete the volume as soon as its host has let go of it; False when it has not for VOLUME_LET_GO."""
    async for _ in waits.looks(waits.VOLUME_LET_GO, restore.vault.settings.poll.total_seconds()):
        volume = await ebs.volume(volume_id)
        if volume and volume.state in ("deleting", "deleted"):
            return True
        # One that is not shown may be too new to be: DeleteVolume knows.
        if volume is None or not volume.instance:
            await restore.lease.check()
            if await ebs.delete_volume(volume_id):
                return True
    return False
