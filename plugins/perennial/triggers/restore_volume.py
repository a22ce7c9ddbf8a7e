"""The volume of a restore: made from the web snapshot, attached to the web host, and never left behind."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import ClassVar

from include.backups.errors import PartError, UnavailableError
from include.backups.recovery_points import Manifest
from include.backups.restores import RestoreRecord, free_device
from perennial.hooks import aws
from perennial.hooks.ebs import RESTORE_TAG, Ebs, Volume
from perennial.hooks.hosts import Hosts, ScriptError
from perennial.hooks.leased import LeasedRestore
from perennial.settings import Settings
from perennial.triggers.restore_step import RestoreStepTrigger

USABLE = frozenset({"creating", "available", "in-use"})

GONE_WITHIN = 600
"""Seconds that a volume may take to let go of its host; Amazon says minutes, an open file says never."""


class AttachSnapshotVolumeTrigger(RestoreStepTrigger):
    """Makes a volume from the web snapshot in the host's zone and attaches it as another drive."""

    step: ClassVar[str] = "attach_volume"

    async def act(self, restore: LeasedRestore, point: Manifest) -> str:
        web = restore.record.target.web
        ebs = Ebs.of(restore.vault.settings)
        snapshot, _ = restore.record.parts_of(point)
        volume = await self._made(ebs, restore, snapshot.snapshot_id)
        await restore.change(lambda record: record.model_copy(update={"volume": volume.id}))
        if volume.instance != web.instance:
            await self._attach(ebs, restore, volume)
        await self._until(ebs, restore, volume.id, "in-use")
        return f"Volume {volume.id} from snapshot {snapshot.snapshot_id} is attached to {web.instance}."

    async def _made(self, ebs: Ebs, restore: LeasedRestore, snapshot_id: str) -> Volume:
        """The volume that an earlier attempt has made, or a new one."""
        record = restore.record
        standing = [volume for volume in await ebs.volumes_of_restore(record.id) if volume.state in USABLE]
        if standing:
            return standing[0]
        await restore.lease.check()
        tags = {
            **record.target.tags,
            "Name": record.id,
            "perennial:tenant": record.tenant,
            RESTORE_TAG: record.id,
        }
        # A volume of an earlier attempt may have been deleted since: its token would bring nothing back.
        token = sha256(f"{ebs.vault} {record.id} {restore.lease.token}".encode()).hexdigest()
        return await ebs.create_volume(snapshot_id, record.target.web.zone, tags, token=token)

    async def _attach(self, ebs: Ebs, restore: LeasedRestore, volume: Volume) -> None:
        instance = restore.record.target.web.instance
        await self._until(ebs, restore, volume.id, "available")
        for _ in range(3):
            device = free_device(await ebs.devices_in_use(instance))
            await restore.lease.check()
            try:
                return await ebs.attach_volume(volume.id, instance, device)
            except aws.Error as error:
                standing = await ebs.volume(volume.id)
                if standing and standing.instance == instance:
                    return None  # the answer was lost, the volume was attached
                refused = error
            # Somebody else may have taken the device name in between: look again.
            await asyncio.sleep(restore.vault.settings.poll.total_seconds())
        raise UnavailableError(
            f"The volume with the files of tenant {restore.record.tenant} could not be attached: {refused}.",
            why="Nothing was overwritten.",
            todo="Check that the web host in the register runs and is in the zone given there.",
            volume=volume.id,
            host=instance,
        )

    async def _until(self, ebs: Ebs, restore: LeasedRestore, volume_id: str, state: str) -> None:
        while True:
            volume = await ebs.volume(volume_id)
            if volume and volume.state == state:
                return
            if volume and volume.state in ("error", "deleting", "deleted"):
                raise PartError(
                    f"The volume with the files of tenant {restore.record.tenant} is {volume.state}.",
                    why="Nothing was overwritten.",
                    todo="Clear the task `open` of this run: it makes another one.",
                    volume=volume_id,
                )
            await asyncio.sleep(restore.vault.settings.poll.total_seconds())


class RemoveVolumeTrigger(RestoreStepTrigger):
    """Detaches and deletes the volume of the restore, whatever became of the copy."""

    step: ClassVar[str] = "remove_volume"

    async def act(self, restore: LeasedRestore, point: Manifest) -> str:
        left = await remove_volumes(restore)
        if left:
            raise UnavailableError(left)
        return "The volume is detached and deleted."


async def remove_volumes(restore: LeasedRestore) -> str:
    """Detach and delete every volume that the restore has made; returns a sentence about what could not be removed."""
    record, settings = restore.record, restore.vault.settings
    ebs, hosts = Ebs.of(settings), Hosts.of(settings)
    left = []
    for volume in await ebs.volumes_of_restore(record.id):
        await restore.lease.check()
        if volume.instance:
            await _unmount(hosts, settings, volume, record)
            await ebs.detach_volume(volume.id)
        if await _detached(ebs, volume.id, settings.poll.total_seconds()):
            await ebs.delete_volume(volume.id)
        else:
            left.append(volume.id)
    if left:
        return (
            f"Volume {', '.join(left)} could not be detached from the web host of tenant {record.tenant} and was left "
            "there. It costs money until it is deleted. See what uses it on the host, detach it, delete it."
        )
    return ""


async def _unmount(hosts: Hosts, settings: Settings, volume: Volume, record: RestoreRecord) -> None:
    # A copy that is still running (its task was cleared) would be copying from a volume that goes away.
    instance, platform = str(volume.instance), record.target.web.platform
    await hosts.cancel(instance, settings.mark(f"{record.id} copy"))
    try:
        parameters = {"VOLUME_ID": volume.id, "MOUNT_NAME": f"perennial-{record.id}"}
        mark = settings.mark(f"{record.id} unmount")
        await hosts.run(instance, platform, "unmount", parameters, mark=mark, limit=120)
    except (ScriptError, UnavailableError):
        # A host that does not answer may well have let go of the disk: the detaching will tell.
        return


async def _detached(ebs: Ebs, volume_id: str, pause: float) -> bool:
    end = asyncio.get_running_loop().time() + GONE_WITHIN
    while asyncio.get_running_loop().time() < end:
        volume = await ebs.volume(volume_id)
        if volume is None or volume.state in ("available", "error", "deleting", "deleted"):
            return True
        await asyncio.sleep(pause)
    return False
