"""The volumes of a restore: made from snapshots, attached to the hosts that need them, and looked at.

All of it while the site is still online: what can only be found on the volume itself is found before anything changes.
"""

from __future__ import annotations

from typing import ClassVar

from include.rules.errors import PartError, UnavailableError
from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotRole, host_of
from include.rules.restore.devices import free_device
from include.rules.restore.made_volumes import asking_for_volume, with_volume, without_asked_volume
from include.rules.restore.record import RestoreRecord
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.ebs_items import Volume
from perennial.hooks.aws.errors import AWS_ERRORS, AwsRejectedError, error_code
from perennial.hooks.aws.hosts import Hosts
from perennial.hooks.vault.leased import LeasedRestore
from perennial.restore.database_files import look_at_database_files
from perennial.restore.files import look_at_files
from perennial.restore.step import RestoreStepTrigger, StepReport
from perennial.restore.volume_waiting import wait_for_volume
from perennial.restore.volumes import LOOK_LABELS, ask_for_volume, token_of_volume

USABLE = frozenset({"creating", "available", "in-use"})

LOOKS = {SnapshotRole.WEB: look_at_files, SnapshotRole.DATABASE: look_at_database_files}


class AttachVolumesTrigger(RestoreStepTrigger):
    """Makes a volume from each snapshot that the plan needs, attaches it as another drive, and looks whether what is to
    come back is there and has room.
    """

    step: ClassVar[str] = "attach_volumes"

    async def act(self, restore: LeasedRestore, point: Manifest) -> StepReport:
        roles = restore.record.plan.snapshots
        sentences = [await self._attach_from_snapshot(restore, point, role) for role in roles]
        sentences += [await LOOKS[role](restore, point) for role in roles]
        return StepReport(" ".join(sentences) or "No snapshot is needed.")

    async def stop(self, record: RestoreRecord) -> None:
        for role in record.plan.snapshots:
            label = self.settings.run_label(f"{record.id} {LOOK_LABELS[role]}")
            await Hosts.of(self.settings).cancel(host_of(record.plan.target, role).instance, label)

    async def _attach_from_snapshot(self, restore: LeasedRestore, point: Manifest, role: SnapshotRole) -> str:
        snapshot, host = point.snapshot(role), host_of(restore.record.plan.target, role)
        if snapshot is None:
            raise PartError(f"Recovery point {point.id} has no {role.value}.", todo="Restore another recovery point.")
        ebs = Ebs.of(restore.vault.settings)
        volume = await self._find_or_create(ebs, restore, role, snapshot.snapshot_id)
        await restore.change(lambda record: with_volume(record, role.value, volume.id))
        if volume.instance != host.instance:
            await self._attach(ebs, restore, role, volume)
        await wait_for_volume(ebs, restore, volume.id, lambda volume: volume.attachment == "attached")
        return f"Volume {volume.id} from snapshot {snapshot.snapshot_id} is attached to {host.instance}."

    async def _find_or_create(self, ebs: Ebs, restore: LeasedRestore, role: SnapshotRole, snapshot_id: str) -> Volume:
        """The volume that an earlier attempt has made, or a new one."""
        record = restore.record
        usable = [volume for volume in await ebs.volumes_of_restore(record.id, role) if volume.state in USABLE]
        if usable:
            return usable[0]
        # A volume of an earlier attempt may have been deleted since: its token would bring nothing back.
        token = token_of_volume(restore, role)
        # Recorded first: `remove_volumes` finds by it what look-ups do not show yet.
        await restore.change(lambda r: asking_for_volume(r, role.value, token, snapshot_id))
        try:
            return await ask_for_volume(ebs, restore, role, snapshot_id, token)
        except AwsRejectedError:
            await restore.change(lambda r: without_asked_volume(r, role.value))
            raise

    async def _attach(self, ebs: Ebs, restore: LeasedRestore, role: SnapshotRole, volume: Volume) -> None:
        """Attach it under the first name that AWS takes: one that no volume shows as taken may be refused all the same
        (the host's image, or its instance type, has something there).

        Raises:
            RefusedError: when no name is left.
            UnavailableError: when AWS refuses for another reason, or does not answer.
        """
        host = host_of(restore.record.plan.target, role)
        await wait_for_volume(ebs, restore, volume.id, lambda volume: volume.state == "available")
        taken: set[str] = set()
        while True:
            device = free_device(await ebs.devices_in_use(host.instance) | taken, host.platform)
            await restore.lease.check()
            try:
                return await ebs.attach_volume(volume.id, host.instance, device)
            except AWS_ERRORS as error:
                current = await ebs.volume(volume.id)
                if current and current.instance == host.instance:
                    return None  # the answer was lost, the volume was attached
                if error_code(error) != "InvalidParameterValue":
                    raise UnavailableError(
                        f"The volume from the {role.value} for tenant {restore.record.tenant} could not be attached: "
                        f"{error}.",
                        why="Nothing was overwritten.",
                        todo="Check that the host in the register runs and is in the zone given there.",
                        volume=volume.id,
                        host=host.instance,
                    ) from error
            # Somebody else may have taken the name in between, or what has it is no volume.
            taken.add(device)
