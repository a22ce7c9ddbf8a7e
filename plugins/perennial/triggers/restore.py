"""Opening and closing a restore, and what every step between them shares."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from include.backups.errors import ConflictError, LeaseLostError, PartError, PerennialError
from include.backups.recovery_points import State
from include.backups.restores import (
    RestoreRecord,
    RestoreRequest,
    RestoreState,
    check_platform,
    choose_point,
    finished,
)
from perennial.hooks import tenant_lease
from perennial.hooks.leased import LeasedRestore
from perennial.hooks.register import read_register
from perennial.hooks.tenant_lease import TenantLease
from perennial.hooks.vault import Vault
from perennial.settings import Settings
from perennial.triggers.restore_database import CheckRestoreTrigger, reopen_database
from perennial.triggers.restore_step import RestoreTrigger
from perennial.triggers.restore_volume import remove_volumes
from perennial.triggers.step import Said

INTERRUPTED = "The run was ended before it was done."


class OpenRestoreTrigger(RestoreTrigger):
    """Refuses what must not be restored, takes the tenant's lease, and begins the record of the restore."""

    async def work(self) -> Said:
        settings, request = Settings.from_environment(), self.request()
        target = (await read_register(settings)).tenant(request.tenant)
        check_platform(target)
        vault = Vault(settings)
        # A restore never waits for a busy tenant: the operator at night has to know at once, and who is in the way.
        lease = await tenant_lease.acquire(vault, target.id, self.owner(settings), "restore")
        try:
            # A named point is found by its name, whatever became of the others.
            wanted = request.recovery_point
            named = await vault.points.get(target.id, wanted) if wanted else None
            known = [named.value] if named and named.value.state is State.VERIFIED else await vault.manifests(target.id)
            point = choose_point(known, target.id, wanted)
            record = RestoreRecord(
                id=request.restore_id,
                tenant=target.id,
                recovery_point=point.id,
                target=target,
                owner=lease.owner,
                token=lease.token,
                opened_at=datetime.now(UTC),
            )
            await self._begin(lease, record)
        except Exception:
            await lease.release()
            raise
        return {"restore": record.id, "recovery_point": point.id, "time": point.time.isoformat() if point.time else ""}

    async def _begin(self, lease: TenantLease, record: RestoreRecord) -> None:
        """Write a new record; over a failed or unfinished one of the same run, because all steps are done again."""
        try:
            await lease.vault.restores.create(record)
        except ConflictError:
            standing = await LeasedRestore.load(lease, record.id)
            await standing.change(lambda old: record.model_copy(update={"volume": old.volume}))

    async def on_kill(self) -> None:
        """The run was ended by hand while it opened: no `close` will follow, so give the lease back."""
        settings, request = Settings.from_environment(), self.request()
        with suppress(PerennialError):
            async with tenant_lease.entered(Vault(settings), request.tenant, self.owner(settings)) as lease:
                await lease.release()


class CloseRestoreTrigger(RestoreTrigger):
    """Removes what the restore made, lets users in again, writes how it ended, and gives the lease back."""

    async def work(self) -> Said:
        settings, request = Settings.from_environment(), self.request()
        vault, owner = Vault(settings), self.owner(settings)
        # Without the lease there is nothing to close, as in a backup: the record says what there is to say.
        with suppress(LeaseLostError):
            async with tenant_lease.entered(vault, request.tenant, owner) as lease, tenant_lease.given_back(lease):
                await self._close(await LeasedRestore.load(lease, request.restore_id))
        standing = await vault.restores.get(request.tenant, request.restore_id)
        return _report(standing.value if standing else None, request)

    async def _close(self, restore: LeasedRestore) -> None:
        left = [said for said in (await _without_volumes(restore), await reopen_database(restore)) if said]
        failure = restore.record.failure
        if not restore.record.has_done(CheckRestoreTrigger.step):
            failure = " ".join(part for part in (failure or INTERRUPTED, restore.record.in_doubt, *left) if part)
        if restore.record.closed_at is None:
            await restore.change(lambda record: finished(record, datetime.now(UTC), failure))


async def _without_volumes(restore: LeasedRestore) -> str:
    try:
        return await remove_volumes(restore)
    except PerennialError as error:
        return f"The volume that was made for it may still be there: {error}"


def _report(record: RestoreRecord | None, request: RestoreRequest) -> Said:
    if record and record.state is RestoreState.DONE:
        steps = {step.name: step.said for step in record.steps}
        return {"restore": record.id, "recovery_point": record.recovery_point, "steps": steps}
    done = " ".join(f"({step.name}) {step.said}" for step in record.steps) if record else ""
    raise PartError(
        f"Restore {request.restore_id} of tenant {request.tenant} was not completed: "
        f"{record.failure if record else 'it has no record'}",
        why=f"Done before that: {done or 'nothing.'}",
        todo="Mend the cause, then clear the task `open` of this run: every step may be repeated.",
    )
