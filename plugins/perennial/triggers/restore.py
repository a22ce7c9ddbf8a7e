"""Opening and closing a restore."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from include.backups.errors import LeaseLostError, PartError, PerennialError, RefusedError
from include.backups.recovery_points import Manifest, Reader
from include.backups.restore_choices import check_restorable
from include.backups.restore_records import RestoreRecord, RestoreState, finished
from include.backups.restore_requests import RestoreRequest
from perennial.hooks import tenant_lease
from perennial.hooks.leased import LeasedRestore
from perennial.hooks.register import find_register
from perennial.hooks.tenant_lease import TenantLease
from perennial.hooks.vault import Vault
from perennial.settings import Settings
from perennial.triggers.restore_database import reopen_database
from perennial.triggers.restore_safety import close_safety_point
from perennial.triggers.restore_site import bring_online
from perennial.triggers.restore_step import RestoreTrigger
from perennial.triggers.restore_volume import remove_volumes
from perennial.triggers.step import Said

LONGEST = timedelta(days=3)
"""Longer than all steps of a restore may take together: so long retention leaves the recovery point alone."""

CLEAN_UPS = (
    ("Letting users into the database", reopen_database, 300),
    ("Bringing the site online", bring_online, 300),
    ("Closing the safety point", close_safety_point, 300),
    ("Removing the volumes", remove_volumes, 1800),
)
"""What `close` does, users first, and the seconds for each: together less than its deadline (an hour), so that a host
or a server that hangs keeps none of the others, nor the record, from being seen to."""


class OpenRestoreTrigger(RestoreTrigger):
    """Takes the tenant's lease, makes sure that the plan still holds, and begins to carry it out."""

    async def work(self) -> Said:
        settings, request = Settings.from_environment(), self.request()
        vault = Vault(settings)
        # A restore never waits for a busy tenant: the operator at night has to know at once, and who is in the way.
        lease = await tenant_lease.acquire(vault, request.target, self.owner(settings), "restore")
        try:
            restore = await LeasedRestore.load(lease, request.restore_id)
            await self._still_holds(restore.record, settings)
            await _read_by(vault, restore.record)
            record = await restore.change(
                lambda r: r.opened(owner=lease.owner, token=lease.token, now=datetime.now(UTC))
            )
        except Exception:
            await lease.release()
            raise
        return {"restore": record.id, "recovery_point": record.plan.recovery_point}

    async def _still_holds(self, record: RestoreRecord, settings: Settings) -> None:
        """The preview may be days old: what it said of the place has to be true still."""
        if record.state is RestoreState.DONE:
            raise RefusedError(
                f"Restore {record.id} of tenant {record.tenant} is done.",
                why="Carried out again it would overwrite what users have done since; nothing was restored.",
                todo="Start a new restore.",
            )
        register, plan = await find_register(settings), record.plan
        now_there = register.tenants.get(plan.target.id) if register else None
        if now_there and (now_there.web, now_there.database) != (plan.target.web, plan.target.database):
            raise RefusedError(
                f"Tenant {record.tenant} has moved since restore {record.id} was planned: the register has changed.",
                why="The preview that was shown is about another place; nothing was restored.",
                todo="Start a new restore.",
            )

    async def on_kill(self) -> None:
        """The run was ended by hand while it opened: no `close` will follow, so give the lease back."""
        settings, request = Settings.from_environment(), self.request()
        with suppress(PerennialError):
            async with tenant_lease.entered(Vault(settings), request.target, self.owner(settings)) as lease:
                await _given_up(lease, request)


async def _given_up(lease: TenantLease, request: RestoreRequest) -> None:
    with suppress(PerennialError):
        restore = await LeasedRestore.load(lease, request.restore_id)
        await _no_longer_read_by(lease.vault, restore.record)
    await lease.release()


class CloseRestoreTrigger(RestoreTrigger):
    """Removes what the restore made, lets users in again, writes how it ended, and gives the lease back."""

    async def work(self) -> Said:
        settings, request = Settings.from_environment(), self.request()
        vault, owner = Vault(settings), self.owner(settings)
        # Without the lease there is nothing to close, as in a backup: the record says what there is to say.
        with suppress(LeaseLostError):
            async with tenant_lease.entered(vault, request.target, owner) as lease, tenant_lease.given_back(lease):
                await _close(await LeasedRestore.load(lease, request.restore_id))
        standing = await vault.restores.get(request.target, request.restore_id)
        return _report(standing.value if standing else None, request)


async def _close(restore: LeasedRestore) -> None:
    """Clean up in the order in which a failure hurts least, each part whatever became of the others."""
    if restore.record.closed_at is None:
        left = []
        for what, clean_up, seconds in CLEAN_UPS:
            try:
                async with asyncio.timeout(seconds):
                    left.append(await clean_up(restore))
            except LeaseLostError:
                raise
            except TimeoutError:
                left.append(f"{what} did not come to its end within {seconds} s: the host or the server may hang.")
            except PerennialError as error:
                left.append(str(error))
        said = [sentence for sentence in left if sentence]
        await restore.change(lambda record: finished(record, datetime.now(UTC), said))
    await _no_longer_read_by(restore.vault, restore.record)


async def _read_by(vault: Vault, record: RestoreRecord) -> None:
    """Write into the manifest that it is being read; retention, which changes the same document, then sees it.

    Raises:
        RefusedError: when the point is no longer verified.
    """
    now, plan = datetime.now(UTC), record.plan

    def read(manifest: Manifest) -> Manifest:
        check_restorable(manifest)
        return manifest.with_reader(Reader(restore=record.id, until=now + LONGEST), now)

    await vault.change_point(plan.source, plan.recovery_point, read)


async def _no_longer_read_by(vault: Vault, record: RestoreRecord) -> None:
    plan = record.plan
    standing = await vault.points.get(plan.source, plan.recovery_point)
    if standing and any(reader.restore == record.id for reader in standing.value.readers):
        await vault.change_point(plan.source, plan.recovery_point, lambda m: m.without_reader(record.id))


def _report(record: RestoreRecord | None, request: RestoreRequest) -> Said:
    if record and record.state is RestoreState.DONE and record.failure:
        raise PartError(
            f"Restore {record.id} of tenant {record.tenant} is done and checked, but: {record.failure}",
            why="What is left behind may cost money or keep users out.",
            todo="Remove by hand what the message names.",
        )
    if record and record.state is RestoreState.DONE:
        seconds = (record.closed_at - record.opened_at).total_seconds() if record.closed_at and record.opened_at else 0
        return {
            "restore": record.id,
            "recovery_point": record.plan.recovery_point,
            "safety_point": record.safety_point,
            "seconds": round(seconds, 1),
            "steps": {step.name: f"{step.said} ({step.seconds:.1f} s)" for step in record.steps},
        }
    done = " ".join(f"({step.name}) {step.said}" for step in record.steps) if record else ""
    raise PartError(
        f"Restore {request.restore_id} of tenant {request.target} was not completed: "
        f"{record.failure if record else 'it has no record'}",
        why=f"Done before that: {done or 'nothing.'}",
        todo="Mend the cause, then clear the task `open` of this run: every step may be repeated.",
    )
