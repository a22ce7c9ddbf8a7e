"""Opening a recovery point under the tenant's lease, and closing it with its final state."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

from include.rules.backup.attempts import is_settled
from include.rules.backup.quotas import check_manual_quota, month_prefix
from include.rules.errors import ConflictError, LeaseLostError, PartError, PerennialError, UnavailableError
from include.rules.points.database_settings import restore_warning
from include.rules.points.failures import INTERRUPTED
from include.rules.points.leases import Lease, Purpose
from include.rules.points.levels import not_looked_at
from include.rules.points.manifest import Manifest
from include.rules.points.requests import BackupRequest, Kind
from include.rules.points.transitions import State
from include.rules.register.tenants import Tenant
from include.rules.retention.outlook import describe_displaced, displaced_by
from perennial.backup.attempt import begin_attempt, end_attempt, is_ended
from perennial.backup.half_restored import find_half_restored
from perennial.backup.joining import announce
from perennial.backup.lock import lock_parts
from perennial.backup.step import SETTLED, BackupTrigger
from perennial.hooks.register import read_register
from perennial.hooks.vault.collection import Versioned
from perennial.hooks.vault.leased import LeasedPoint
from perennial.hooks.vault.tenant_lease import TenantLease, released_after
from perennial.hooks.vault.vault import CHANGES
from perennial.steps.alone import refuse_alone
from perennial.steps.closing import ClosingTrigger, leaving_it_to_others
from perennial.steps.trigger import StepResult


class OpenRecoveryPointTrigger(BackupTrigger):
    """Takes the tenant's lease and claims the recovery point's id, or begins a new attempt under it.

    Fields:
        note: Why the backup is taken.
    """

    note: str = ""

    async def work(self) -> StepResult:
        settings, request = self.settings, self.backup_request
        tenant = (await read_register(settings, fresh=request.kind is not Kind.DAILY)).tenant(request.tenant)
        current = await self._read_if_begun()
        if current and is_ended(current.value):
            return {"recovery_point": current.value.id, **SETTLED}
        if current and current.value.state is not State.VERIFIED:
            await refuse_alone(self)
        wait, point_id = settings.lease_wait.total_seconds(), request.recovery_point_id
        lease = await self.acquire(tenant.id, Purpose.BACKUP, wait=wait, point=point_id)
        try:
            point = self.holding(await self._begin(lease, request, tenant, is_new=current is None))
        except Exception:
            await lease.release()
            raise
        manifest = point.manifest
        if manifest.state is State.VERIFIED:
            async with released_after(lease):
                await lock_parts(point)
            return {"recovery_point": manifest.id, **SETTLED}
        announce(point)
        message = await self._displaced(request, tenant)
        return {"recovery_point": manifest.id, "attempt": manifest.attempt, **({"message": message} if message else {})}

    async def _read_if_begun(self) -> Versioned[Manifest] | None:
        """The manifest, where there may well be one; it is not looked for where the tenant's last backup was of another
        point: almost always there is none then, and the store refuses to create a second one.
        """
        request = self.backup_request
        lease = await self.vault.known_lease(request.tenant)
        may_have_begun = lease is not None and lease.point in ("", request.recovery_point_id)
        return await self.read_manifest() if may_have_begun or request.kind is not Kind.DAILY else None

    async def _displaced(self, request: BackupRequest, tenant: Tenant) -> str:
        """Which points a backup by hand will cost, in words; no trouble with that is worth a backup."""
        policy = tenant.plan.retention
        if request.kind is Kind.MANUAL:
            with suppress(PerennialError):
                manifests = await self.vault.manifests(tenant.id)
                return describe_displaced(displaced_by(request, manifests, policy, datetime.now(UTC)), policy)
        return ""

    async def _begin(self, lease: TenantLease, request: BackupRequest, tenant: Tenant, *, is_new: bool) -> LeasedPoint:
        """Begin an attempt, again on top of what the store knows better: a hold that came between, or a manifest of
        which the lease had said nothing.

        Args:
            is_new: True where nobody has seen a manifest: it is created, without looking for one.
        """
        current = None if is_new else await self.read_manifest()
        if request.kind is Kind.MANUAL and not (current and is_settled(current.value)):
            check_manual_quota(request, tenant, await self.vault.manifests(tenant.id, month_prefix(request)))
        for _ in range(CHANGES):
            if current and is_settled(current.value):
                return LeasedPoint(lease, current)
            restore = await find_half_restored(lease)
            with suppress(ConflictError):
                note = self.note[:1000]
                return await begin_attempt(lease, current, request, tenant, note=note, half_restored=restore)
            is_surprise, current = current is None, await self.read_manifest()
            if is_surprise and current and current.value.state is not State.VERIFIED:
                await refuse_alone(self)
        raise UnavailableError(
            f"The manifest of {request.recovery_point_id} of tenant {tenant.id} changed {CHANGES} times while `open` "
            "tried to change it.",
            why="Nothing was begun.",
            todo="Look for runs of this tenant that start again and again, then clear the task `open` of this run.",
        )

    async def call_off(self) -> None:
        """Leave nothing behind: no `close` follows an `open` that was ended."""
        # The last write of the cancelled coroutine may still be on its way: look more than once.
        for _ in range(3):
            with suppress(PerennialError):
                async with self.under_lease(self.backup_request.tenant) as lease, released_after(lease):
                    current = await self.read_manifest()
                    if current and current.value.owner == self.owner:
                        point = LeasedPoint(lease, current)
                        await self.tell(point)
                        await end_attempt(point)
                return
            await asyncio.sleep(self.settings.poll.total_seconds())


class CloseRecoveryPointTrigger(BackupTrigger, ClosingTrigger):
    """Writes the recovery point's final state, locks a verified one, and gives the lease back."""

    async def work(self) -> StepResult:
        request, manifest = self.backup_request, await self._end_at_once()
        if manifest:
            return _report(manifest, self.owner)
        # Without the lease there is nothing to close: it was closed before (and the answer lost), or somebody else has
        # taken the tenant over. What the manifest says then is what there is to say.
        with leaving_it_to_others():
            async with self.closing(request.tenant, Purpose.BACKUP, self._is_unclosed) as lease:
                point = self.holding(await LeasedPoint.load(lease, request.recovery_point_id))
                if point.manifest.state is not State.VERIFIED:
                    await self.complete_failures(point)
                await end_attempt(point)
            manifest = point.manifest
        if manifest is None:
            version = await self.read_manifest()
            manifest = version.value if version else None
        return _report(manifest, self.owner)

    async def _end_at_once(self) -> Manifest | None:
        """Give the lease back of a run that has nothing left to do, in one write; None when it has, or may have.

        The write takes a token besides, so that whatever is still at work for this run stops; and it succeeds only
        where nobody has acted on the tenant since the manifest was seen.
        """
        version, tenant, now = await self.know_manifest(), self.backup_request.tenant, datetime.now(UTC)
        if version is None or not is_ended(version.value):
            return None

        def ended(lease: Lease | None) -> Lease:
            return (lease or Lease(tenant=tenant, expires_at=now)).ended(self.owner, now=now)

        return version.value if await self.vault.change_known_lease(tenant, ended) else None

    async def _is_unclosed(self) -> bool:
        current = await self.read_manifest()
        return current is not None and current.value.owner == self.owner and current.value.closed_at is None


def _report(manifest: Manifest | None, owner: str) -> StepResult:
    if manifest and manifest.state is State.VERIFIED:
        unseen = [f"the volume of the {name} was not looked at: {why}" for name, why in not_looked_at(manifest).items()]
        level = manifest.verification.level if manifest.verification else None
        level_note = f"It is proven to level {level} only: {'; '.join(unseen)}." if unseen else ""
        message = f"{level_note} {restore_warning(manifest.database_settings)}".strip() or None
        return {
            "recovery_point": manifest.id,
            "state": str(manifest.state),
            "level": level,
            "seconds_apart": manifest.parts.seconds_apart,
            "message": message,
        }
    if manifest is None:
        raise PartError("The run has made no recovery point.", todo="Clear the task `open` of this run.")
    if manifest.owner != owner:
        raise LeaseLostError(
            f"Recovery point {manifest.id} of tenant {manifest.tenant} is in the hands of another run.",
            why="This run no longer holds the tenant's lease and changed nothing.",
            todo="Look at that run.",
            owner=manifest.owner,
        )
    if manifest.closed_at is None:
        raise LeaseLostError(
            f"Recovery point {manifest.id} of tenant {manifest.tenant} could not be closed: the run has lost the "
            "tenant's lease, and somebody else holds it.",
            why=f"It is {manifest.state}, not verified, and cannot be relied on: {manifest.failure or INTERRUPTED}",
            todo="When that run has ended, clear the task `close` of this one.",
        )
    raise PartError(
        f"Recovery point {manifest.id} of tenant {manifest.tenant} is {manifest.state}, not verified.",
        why=f"It cannot be relied on: {manifest.failure or INTERRUPTED}",
        todo="Mend the cause, then clear the task `open` of this run (or trigger the backup again).",
    )
