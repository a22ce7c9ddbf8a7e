"""Snapshots of a volume: asked for once, adopted when an earlier attempt has already asked."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

from include.rules.backup.attempts import is_fresh
from include.rules.errors import PartError
from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotPart, SnapshotRole
from perennial.backup.look import look_before_snapshot
from perennial.backup.step import BackupStepTrigger
from perennial.hooks import waits
from perennial.hooks.asynchronous import LoopLocks
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.ebs_items import LOOK_TAG, Snapshot, snapshot_tags
from perennial.hooks.aws.errors import AWS_ERRORS, advice_for, error_code, is_transient
from perennial.hooks.aws.host_look import FRESH_SECONDS
from perennial.hooks.vault.leased import LeasedPoint
from perennial.steps.trigger import StepResult

USABLE = frozenset({"pending", "completed"})

CHECK_VOLUME = "Check the volume in the register and the rights of the AWS connection."

_turns = LoopLocks()
"""One volume may serve many tenants, and AWS limits how often and how many snapshots of it may be asked for at once."""


class SnapshotVolumeTrigger(BackupStepTrigger):
    """Makes one snapshot part of the recovery point and records it; `verify` waits for its completion.

    A snapshot shows the bytes of the moment in which CreateSnapshot answers, so that there is nothing to wait for here.
    What is on the volume is looked at before: it may not be the one that the tenant works on.

    Fields:
        role: Which volume, a value of SnapshotRole.
    """

    role: str

    async def act(self, point: LeasedPoint) -> StepResult:
        role = SnapshotRole(self.role)
        if role.value in point.manifest.left_out:
            return {"message": f"Left out: {point.manifest.left_out[role.value]}."}
        part = point.manifest.snapshot(role)
        if part:
            return {"snapshot": part.snapshot_id, "message": "An earlier attempt has made it."}
        ebs = Ebs.of(point.vault.settings)
        async with _turns.of(point.manifest.volume_of(role)):
            snapshot = await self._find_adoptable(ebs, point, role) or await self._create(ebs, point, role)
        await point.change(lambda manifest: manifest.with_snapshot(role, _part(snapshot)))
        return {"snapshot": snapshot.id, "volume": snapshot.volume_id, "started_at": snapshot.started_at.isoformat()}

    async def _find_adoptable(self, ebs: Ebs, point: LeasedPoint, role: SnapshotRole) -> Snapshot | None:
        """The oldest snapshot that an earlier attempt has made less than an hour ago, if there is one.

        It says which look came before it: one that nobody looked for, or after another look, is not adopted.
        """
        tags, now = snapshot_tags(point.manifest, role), datetime.now(UTC)
        if LOOK_TAG not in tags:
            return None
        for snapshot in await ebs.snapshots_of_point(point.manifest.id, role):
            is_ours = snapshot.tags.get(LOOK_TAG) == tags[LOOK_TAG]
            is_of_volume = snapshot.volume_id == point.manifest.volume_of(role)
            if snapshot.state in USABLE and is_ours and is_of_volume and is_fresh(snapshot.started_at, now):
                self.log.info("Adopting snapshot %s, which an earlier attempt asked for.", snapshot.id)
                return snapshot
        return None

    async def _look(self, point: LeasedPoint, role: SnapshotRole) -> Manifest:
        """Look at the volume and record it before the snapshot is asked for, so that no other look can pass for it."""
        look = await look_before_snapshot(point.vault.settings, point.manifest, role)
        if look.not_looked_at:
            self.log.warning("Volume %s: not looked at: %s.", point.manifest.volume_of(role), look.not_looked_at)
        for note in look.notes:
            self.log.info("Volume %s: %s.", point.manifest.volume_of(role), note)
        return await point.change(lambda manifest: manifest.with_look(role, look))

    async def _create(self, ebs: Ebs, point: LeasedPoint, role: SnapshotRole) -> Snapshot:
        manifest, pause = point.manifest, point.vault.settings.poll.total_seconds()
        volume, loop, look_again_at = manifest.volume_of(role), asyncio.get_running_loop(), 0.0
        granted_by = 0.0
        while True:
            if loop.time() >= look_again_at:
                look_again_at = loop.time() + FRESH_SECONDS
                manifest = await self._look(point, role)
            await point.lease.check()
            try:
                return await ebs.create_snapshot(volume, snapshot_tags(manifest, role), f"Perennial {manifest.id}")
            except AWS_ERRORS as error:
                granted_by = granted_by or loop.time() + waits.SNAPSHOT_GRANTED.seconds
                if not is_transient(error) or loop.time() >= granted_by:
                    raise PartError(
                        f"Volume {volume} of tenant {manifest.tenant} could not be snapshotted: {error}.",
                        why=f"Recovery point {manifest.id} has no {role.value}.",
                        todo=advice_for(
                            error, "Check the volume in the register and the rights of the AWS connection."
                        ),
                    ) from error
                self.log.warning("AWS says %s for volume %s; trying again.", error_code(error), volume)
                waits.note(f"a snapshot of volume {volume}: AWS says {error_code(error)}")
            await asyncio.sleep(pause * random.uniform(1, 2))  # noqa: S311 - spreads the tenants of one volume
            # No answer is no proof that nothing happened: look before asking again.
            snapshot = await self._find_adoptable(ebs, point, role)
            if snapshot:
                return snapshot


def _part(snapshot: Snapshot) -> SnapshotPart:
    return SnapshotPart(
        snapshot_id=snapshot.id,
        volume_id=snapshot.volume_id,
        started_at=snapshot.started_at,
        size_gib=snapshot.size_gib,
    )
