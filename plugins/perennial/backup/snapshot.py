"""Snapshots of a volume: one serves the recovery points of all tenants that live on it."""

from __future__ import annotations

from include.rules.errors import PartError, RefusedError
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName, SnapshotPart, SnapshotRole
from include.rules.points.shared_snapshots import SharedSnapshot, SnapshotUser
from perennial.backup.asker import Asker
from perennial.backup.joining import announce, queue_for
from perennial.backup.step import BackupStepTrigger
from perennial.hooks.vault.leased import LeasedPoint
from perennial.steps.trigger import StepResult


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
        if part and await self._is_kept(point, part):
            return {"snapshot": part.snapshot_id, "message": "An earlier attempt has made it."}
        asker = Asker(point, role)
        shared = await queue_for(point, asker.volume).serve(asker)
        manifest = await point.change(lambda manifest: _with_snapshot(manifest, role, asker, shared))
        announce(point)
        self._log_look(manifest, role)
        return {
            "snapshot": shared.snapshot_id,
            "volume": shared.volume,
            "shared_snapshot": shared.id,
            "started_at": shared.started_at.isoformat() if shared.started_at else None,
        }

    async def _is_kept(self, point: LeasedPoint, part: SnapshotPart) -> bool:
        """Let a part that an earlier attempt has recorded be the part of this one; a shared snapshot is joined again
        under this step's token, so that nobody takes the point off its list who was at work before. False when it
        cannot be joined any more, or is in error, and is no part of the point now.

        Raises:
            UnavailableError: when the vault does not answer: the part stays, for the next attempt.
        """
        if not part.claim:
            return True
        user = SnapshotUser(tenant=point.manifest.tenant, point=point.manifest.id, token=point.lease.token)
        try:
            found = await point.vault.shared_snapshot(part.volume_id, part.claim)
            why = _why_lost(found.value, user, part) if found else "its claim is not there"
            if not why:
                await point.vault.change_shared_snapshot(part.volume_id, part.claim, lambda one: one.joined([user]))
                return True
        except (PartError, RefusedError) as error:  # nobody can read it, or it has gone in this moment
            why = error.what
        self.log.warning("Snapshot %s is no part of the point any more: %s", part.snapshot_id, why)
        await point.change(lambda manifest: manifest.forgetting_part(PartName(self.role)))
        return False

    def _log_look(self, manifest: Manifest, role: SnapshotRole) -> None:
        look = manifest.looks[PartName(role)]
        if look.not_looked_at:
            self.log.warning("Volume %s: not looked at: %s.", manifest.volume_of(role), look.not_looked_at)
        for note in look.notes:
            self.log.info("Volume %s: %s.", manifest.volume_of(role), note)


def _why_lost(document: SharedSnapshot, user: SnapshotUser, part: SnapshotPart) -> str:
    """Why a part that an earlier attempt has recorded is none any more; empty while it is."""
    if document.user(user.tenant, user.point) is None or document.snapshot_id != part.snapshot_id:
        return "it is not on its list"
    return document.sealed_because


def _with_snapshot(manifest: Manifest, role: SnapshotRole, asker: Asker, shared: SharedSnapshot) -> Manifest:
    """The manifest with the shared snapshot as a part, and with what was seen of the tenant before."""
    look = asker.candidate.look_in(shared)
    if shared.snapshot_id is None or shared.started_at is None or shared.size_gib is None or look is None:
        raise ValueError(f"shared snapshot {shared.id} of volume {shared.volume} was joined before it was there")
    part = SnapshotPart(
        snapshot_id=shared.snapshot_id,
        volume_id=shared.volume,
        started_at=shared.started_at,
        size_gib=shared.size_gib,
        claim=shared.id,
    )
    return manifest.with_look(role, look).with_snapshot(role, part)
