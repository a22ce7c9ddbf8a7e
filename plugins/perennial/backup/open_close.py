"""Opening and closing a recovery point, and what every step between them shares."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import ClassVar

from include.rules.backup.attempts import first_attempt, is_settled, next_attempt, resumed
from include.rules.backup.quotas import check_manual_quota, month_prefix
from include.rules.errors import LeaseLostError, PartError, PerennialError, UnavailableError
from include.rules.points.left_over import replaced_parts
from include.rules.points.manifest import Manifest
from include.rules.points.requests import BackupRequest, Kind
from include.rules.points.transitions import State
from include.rules.register.tenants import Tenant
from include.rules.restore.half_restored import LATEST, half_restored_by
from perennial.backup.lock import lock_parts
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.register import read_register
from perennial.hooks.sql_server.session import SqlServer, SqlServerError
from perennial.hooks.vault import tenant_lease
from perennial.hooks.vault.collection import Versioned
from perennial.hooks.vault.leased import LeasedPoint
from perennial.hooks.vault.tenant_lease import TenantLease
from perennial.hooks.vault.vault import Vault
from perennial.settings import Settings
from perennial.steps.trigger import StepResult, StepTrigger

INTERRUPTED = "The run was ended by hand before the recovery point was complete."


class OpenRecoveryPointTrigger(StepTrigger):
    """Takes the tenant's lease and claims the recovery point's id, or begins a new attempt under it."""

    fields: ClassVar[tuple[str, ...]] = ("request", "note")
    request: str
    note: str

    async def work(self) -> StepResult:
        settings = Settings.from_environment()
        request = BackupRequest.parse(self.request)
        tenant = (await read_register(settings)).tenant(request.tenant)
        vault = Vault(settings)
        lease = await tenant_lease.acquire(
            vault, tenant.id, self.owner(settings), "backup", wait=settings.lease_wait.total_seconds()
        )
        try:
            manifest = await self._begin(lease, request, tenant)
        except Exception:
            await lease.release()
            raise
        if manifest.state is State.VERIFIED:
            async with tenant_lease.released_after(lease):
                swept = await _completed(await LeasedPoint.load(lease, manifest.id))
            return {"recovery_point": manifest.id, "message": "It is verified already: nothing to do.", "swept": swept}
        return {"recovery_point": manifest.id, "attempt": manifest.attempt}

    async def _begin(self, lease: TenantLease, request: BackupRequest, tenant: Tenant) -> Manifest:
        vault, now = lease.vault, datetime.now(UTC)
        standing = await vault.points.get(tenant.id, request.recovery_point_id)
        if standing and is_settled(standing.value):
            return standing.value
        if request.kind is Kind.MANUAL:
            check_manual_quota(request, tenant, await vault.manifests(tenant.id, month_prefix(request)))
        half = half_restored_by(await vault.latest_restores(tenant.id, LATEST))
        half_restored = {"half_restored": half.id if half else None}
        if standing is None:
            first = first_attempt(request, tenant, owner=lease.owner, token=lease.token, now=now, note=self.note[:1000])
            return (await vault.points.create(first.model_copy(update=half_restored))).value
        again = resumed(standing.value, owner=lease.owner, token=lease.token, now=now) or next_attempt(
            standing.value, tenant, owner=lease.owner, token=lease.token, now=now
        )
        return (await vault.points.replace(again.model_copy(update=half_restored), standing.etag)).value

    async def on_kill(self) -> None:
        """The run was ended by hand while it opened: no `close` will follow, so leave nothing behind."""
        settings = Settings.from_environment()
        request, vault, owner = BackupRequest.parse(self.request), Vault(settings), self.owner(settings)
        # The last write of the cancelled coroutine may still be on its way: look more than once.
        for _ in range(3):
            with suppress(PerennialError):
                async with (
                    tenant_lease.continue_under_lease(vault, request.tenant, owner) as lease,
                    tenant_lease.released_after(lease),
                ):
                    standing = await vault.points.get(request.tenant, request.recovery_point_id)
                    if standing and standing.value.owner == owner:
                        await close_point(LeasedPoint(lease, vault.points, standing))
                return
            await asyncio.sleep(settings.poll.total_seconds())


class RecoveryPointTrigger(StepTrigger):
    """A step between open and close: acts on the recovery point under the tenant's lease.

    Subclasses write `act`. A point that is verified already needs no step.
    """

    fields: ClassVar[tuple[str, ...]] = ("request",)
    request: str

    async def act(self, point: LeasedPoint) -> StepResult:
        """Do the step's part; idempotent.

        Raises:
            PerennialError: when it cannot be done; the manifest remembers the message.
        """
        raise NotImplementedError

    async def work(self) -> StepResult:
        settings = Settings.from_environment()
        request, vault = BackupRequest.parse(self.request), Vault(settings)
        standing = await vault.points.get(request.tenant, request.recovery_point_id)
        if standing and is_settled(standing.value):
            return {"message": "The recovery point is verified already: there is nothing to do."}
        async with tenant_lease.continue_under_lease(vault, request.tenant, self.owner(settings)) as lease:
            point = await LeasedPoint.load(lease, request.recovery_point_id)
            try:
                return await self.act(point)
            except LeaseLostError:
                raise
            except Exception as error:
                message = str(error) if isinstance(error, PerennialError) else f"{type(error).__name__}: {error}"
                with suppress(PerennialError):
                    await point.change(lambda manifest: manifest.with_failure(message))
                raise


class CloseRecoveryPointTrigger(StepTrigger):
    """Writes the recovery point's final state, sweeps what belongs to no attempt, and gives the lease back."""

    fields: ClassVar[tuple[str, ...]] = ("request",)
    request: str

    async def work(self) -> StepResult:
        settings = Settings.from_environment()
        request, vault = BackupRequest.parse(self.request), Vault(settings)
        owner, swept = self.owner(settings), list[str]()
        # Without the lease there is nothing to close: it was closed before (and the answer lost), or somebody else has
        # taken the tenant over. What the manifest says then is what there is to say.
        with suppress(LeaseLostError):
            async with (
                tenant_lease.continue_under_lease(vault, request.tenant, owner) as lease,
                tenant_lease.released_after(lease),
            ):
                swept = await close_point(await LeasedPoint.load(lease, request.recovery_point_id))
        return {**_report(await vault.points.get(request.tenant, request.recovery_point_id), owner), "swept": swept}


async def close_point(point: LeasedPoint) -> list[str]:
    """End the attempt: stop what still runs for it, write its final state, lock it, sweep extras; returns what was
    swept.
    """
    manifest = point.manifest
    if manifest.claim and manifest.parts.bak is None:
        with suppress(SqlServerError, PerennialError):  # a server that is down runs no backup either
            server = SqlServer(manifest.source.database.connection)
            await server.kill_sessions_of(point.vault.settings.run_label(manifest.claim.name))
    if manifest.closed_at is None:
        manifest = await point.change(lambda m: m.closed(datetime.now(UTC)))
    return await _completed(point) if manifest.state is State.VERIFIED else []


async def _completed(point: LeasedPoint) -> list[str]:
    """What a verified point still needs: the locks of its plan, and an end of what it has left over."""
    await lock_parts(point)
    return await _sweep(point)


async def _sweep(point: LeasedPoint) -> list[str]:
    """Delete the snapshots and files that carry this recovery point's name and are none of its parts."""
    manifest, ebs = point.manifest, Ebs.of(point.vault.settings)
    extras = replaced_parts(manifest, [snapshot.id for snapshot in await ebs.snapshots_of_point(manifest.id)], ())
    for snapshot_id in extras:
        await point.lease.check()
        try:
            await ebs.delete_snapshot(snapshot_id)
        except UnavailableError as error:
            raise UnavailableError(
                f"Recovery point {manifest.id} of tenant {manifest.tenant} is verified, but an extra snapshot that a "
                f"broken attempt has left could not be deleted: {error.what}",
                why="It costs money until it is.",
                todo="Check the right to delete snapshots tagged perennial:vault, then clear the task `open`.",
                snapshot=snapshot_id,
            ) from error
    files = replaced_parts(manifest, (), await point.vault.backup_file_keys(manifest.tenant, manifest.id))
    for key in files:
        await point.lease.check()
        await point.vault.delete_backup_file(key)
    return [*extras, *files]


def _report(version: Versioned[Manifest] | None, owner: str) -> StepResult:
    if version and version.value.state is State.VERIFIED:
        return {"recovery_point": version.value.id, "state": str(version.value.state)}
    if version is None:
        raise PartError("The run has made no recovery point.", todo="Clear the task `open` of this run.")
    manifest = version.value
    if manifest.owner != owner:
        raise LeaseLostError(
            f"Recovery point {manifest.id} of tenant {manifest.tenant} is in the hands of another run.",
            why="This run no longer holds the tenant's lease and changed nothing.",
            todo="Look at that run.",
            owner=manifest.owner,
        )
    raise PartError(
        f"Recovery point {manifest.id} of tenant {manifest.tenant} is {manifest.state}, not verified.",
        why=f"It cannot be relied on: {manifest.failure or INTERRUPTED}",
        todo="Mend the cause, then clear the task `open` of this run (or trigger the backup again).",
    )
