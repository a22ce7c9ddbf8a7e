"""What a person decides about recovery points: a hold is placed or lifted.

Without the tenant's lease: a hold must never have to wait for a backup. It is written by compare and swap into the same
document that retention marks, so that whichever of the two writes last sees the other.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from include.rules.errors import ConfigurationError
from include.rules.points.holds import Hold
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName
from include.rules.retention.expiry import found_whole, held, lifted
from perennial.hooks.vault.vault import Vault
from perennial.retention.decisions import DecisionTrigger, day_to_come
from perennial.retention.lost_parts import find_absent_parts
from perennial.steps.trigger import StepResult


class PlaceHoldTrigger(DecisionTrigger):
    """Puts a recovery point under a hold; one that is expiring is taken back."""

    tenant: str
    recovery_point: str
    reason: str
    until: str

    async def work(self) -> StepResult:
        vault, now = self.vault, datetime.now(UTC)
        if not self.reason.strip():
            raise ConfigurationError(
                f"The hold on {self.recovery_point} has no reason.",
                why="Nobody could tell later whether it may be lifted; nothing was done.",
                todo="Give a case number, or say what the point is kept for.",
            )
        until = day_to_come(self.until, now) if self.until.strip() else None
        hold = Hold(reason=self.reason.strip()[:500], author=self.decided_by, placed_at=now, until=until)
        manifest = await _change(vault, self.tenant, self.recovery_point, lambda m: held(m, hold))
        message = ""
        if manifest.expiry:
            manifest, message = await _bring_back_if_whole(vault, manifest)
            self.log.warning("%s", message)
        placed = manifest.hold.model_dump(mode="json") if manifest.hold else None
        return {"recovery_point": manifest.id, "state": str(manifest.state), "hold": placed, "message": message}


class LiftHoldTrigger(DecisionTrigger):
    """Takes a hold away: from then on the policy decides again."""

    tenant: str
    recovery_point: str

    async def work(self) -> StepResult:
        vault, now = self.vault, datetime.now(UTC)
        by = self.decided_by
        manifest = await _change(vault, self.tenant, self.recovery_point, lambda m: lifted(m, by, now))
        return {"recovery_point": manifest.id, "lifted": manifest.past_holds[-1].model_dump(mode="json")}


async def _bring_back_if_whole(vault: Vault, manifest: Manifest) -> tuple[Manifest, str]:
    """A point whose deletion had begun comes back where the hold has spared all of it; else says what is left.

    The lease is looked at before the parts: what a run that held it has deleted is then seen.
    """
    lease = await vault.lease(manifest.tenant)
    busy = lease is not None and lease.value.is_live(datetime.now(UTC))
    missing = (await find_absent_parts(vault, [manifest])).get(manifest.id, ())
    if not missing and not busy:
        manifest = await vault.change_point(manifest.tenant, manifest.id, found_whole)
        return manifest, "Its deletion had taken nothing yet."
    if not missing:
        return manifest, (
            "Its deletion had begun, and a run is still at work on the tenant: when that has ended, place the same "
            "hold again to take the point back, if nothing of it has gone."
        )
    spared = [name for name in PartName if name not in missing]
    return manifest, (
        f"Its deletion had begun: {', '.join(missing)} gone, {', '.join(spared) or 'nothing'} left and spared. "
        "It cannot be restored any more."
    )


async def _change(vault: Vault, tenant: str, point_id: str, change: Callable[[Manifest], Manifest]) -> Manifest:
    """Change the manifest that a form names.

    Raises:
        ConfigurationError: when the vault has none of that name.
        RefusedError: when the change makes no sense.
    """
    tenant, point_id = tenant.strip(), point_id.strip()
    if not (tenant and point_id) or await vault.points.get(tenant, point_id) is None:
        raise ConfigurationError(
            f"The vault has no recovery point {point_id!r} of tenant {tenant!r}.",
            why="Nothing was done.",
            todo="`list_recovery_points` shows those that there are.",
        )
    return await vault.change_point(tenant, point_id, change)
