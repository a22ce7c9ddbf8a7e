"""Opening and closing a restore."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

from include.backups.errors import LeaseBusyError, LeaseLostError, PartError, PerennialError, RefusedError
from include.backups.recovery_points import Manifest, Reader
from include.backups.restore_choices import check_own_place, check_restorable
from include.backups.restore_outcomes import finished, left_unclosed
from include.backups.restore_records import RestoreRecord, RestoreState, check_owner
from include.backups.restore_requests import RestoreRequest
from perennial.hooks import tenant_lease
from perennial.hooks.leased import LeasedRestore
from perennial.hooks.register import find_register
from perennial.hooks.tenant_lease import TenantLease
from perennial.hooks.vault import Vault
from perennial.settings import Settings
from perennial.triggers.restore_database import reopen_database
from perennial.triggers.restore_safety import close_safety_point
from perennial.triggers.restore_site import bring_online, marker_on_site
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
            check_owner(restore.record, lease.owner)
            await self._still_holds(restore.record, settings)
            inherited = await _inherited(vault, restore.record)
            await _read_by(vault, restore.record)
            record = await restore.change(
                lambda r: r.opened(owner=lease.owner, token=lease.token, now=datetime.now(UTC), inherited=inherited)
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
        place = (now_there.web, now_there.database) if now_there else None
        if (place is None and record.registered) or (place and place != (plan.target.web, plan.target.database)):
            raise RefusedError(
                f"Tenant {record.tenant} has moved since restore {record.id} was planned: the register has changed.",
                why="The preview that was shown is about another place; nothing was restored.",
                todo="Start a new restore.",
            )
        check_own_place(plan, register)

    async def on_kill(self) -> None:
        """The run was ended by hand while it opened: no `close` will follow, so give the lease back."""
        settings, request = Settings.from_environment(), self.request()
        with suppress(PerennialError):
            async with tenant_lease.entered(Vault(settings), request.target, self.owner(settings)) as lease:
                await _given_up(lease, request)


async def _inherited(vault: Vault, record: RestoreRecord) -> dict[str, str]:
    """What an earlier restore has left half restored, by whose marker the site is still offline.

    Raises:
        RefusedError: when this restore had changed the site, and its own marker no longer lies there: users may have
            worked since, and its safety point does not have that.
    """
    if not record.plan.overwrites:
        return {}
    marker = await marker_on_site(vault.settings, record)
    if record.has_changed_the_site and marker != record.id:
        raise RefusedError(
            f"Restore {record.id} of tenant {record.tenant} cannot be carried out again: it has changed the site, and "
            "its marker no longer lies there.",
            why=f"Users may have worked since, and its safety point {record.safety_point} does not have that; nothing "
            "more was overwritten.",
            todo="Start a new restore.",
        )
    if marker is None or marker == record.id:
        return {}
    earlier = await vault.restores.get(record.tenant, marker)
    return earlier.value.half_restored if earlier else {}


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
        # Where somebody else holds the lease, there is only to say what is where.
        with suppress(LeaseLostError, LeaseBusyError):
            async with _lease_again(vault, request, owner) as lease, tenant_lease.given_back(lease):
                await _close(await LeasedRestore.load(lease, request.restore_id))
        standing = await vault.restores.get(request.target, request.restore_id)
        return _report(standing.value if standing else None, request)


@asynccontextmanager
async def _lease_again(vault: Vault, request: RestoreRequest, owner: str) -> AsyncIterator[TenantLease]:
    """The run's lease, taken once more when it was lost before the restore was closed.

    Raises:
        LeaseLostError, LeaseBusyError: when there is nothing of this run's to close, or somebody else holds it.
    """
    standing, record = await vault.lease(request.target), await vault.restores.get(request.target, request.restore_id)
    unclosed = record and record.value.owner == owner and record.value.state is RestoreState.RUNNING
    if unclosed and standing and standing.value.owner != owner:
        lease = await tenant_lease.acquire(vault, request.target, owner, "restore")
        async with tenant_lease.kept(lease):
            yield lease
    else:
        async with tenant_lease.entered(vault, request.target, owner) as lease:
            yield lease


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
            todo="Do, or remove by hand, what the message names.",
        )
    if record and record.state is RestoreState.DONE:
        seconds = (record.closed_at - record.opened_at).total_seconds() if record.closed_at and record.opened_at else 0
        return {
            "restore": record.id,
            "recovery_point": record.plan.recovery_point,
            "safety_point": record.safety_point,
            "way_back": record.way_back or None,
            "seconds": round(seconds, 1),
            "site": str(record.site),
            "steps": {step.name: f"{step.said} ({step.seconds:.1f} s)" for step in record.steps},
        }
    if record and record.state is RestoreState.RUNNING:
        raise PartError(
            f"Restore {record.id} of tenant {record.tenant} could not be closed: {left_unclosed(record)}",
            why="Somebody else holds the tenant's lease, so that nothing was cleaned up.",
            todo="When that run has ended, clear the task `close` of this one.",
        )
    done = " ".join(f"({step.name}) {step.said}" for step in record.steps) if record else ""
    raise PartError(
        f"Restore {request.restore_id} of tenant {request.target} was not completed: "
        f"{record.failure if record else 'it has no record'}",
        why=f"Done before that: {done or 'nothing.'}",
        todo="Mend the cause, then clear the task `open` of this run: every step may be repeated. If the site was "
        "brought online by hand meanwhile, start a new restore instead.",
    )
