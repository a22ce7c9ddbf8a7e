"""Closing a restore: clean up, say what is where, give the lease back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from include.rules.errors import LeaseBusyError, LeaseLostError, PartError, PerennialError
from include.rules.points.leases import Purpose
from include.rules.restore.outcome import finished, left_unclosed
from include.rules.restore.record import RestoreRecord, RestoreState
from include.rules.restore.request import RestoreRequest
from perennial.hooks.vault.leased import LeasedRestore
from perennial.hooks.vault.tenant_lease import (
    TenantLease,
    acquire,
    continue_under_lease,
    released_after,
    renewing,
)
from perennial.hooks.vault.vault import Vault
from perennial.restore.database import reopen_database
from perennial.restore.readers import end_reading
from perennial.restore.safety_point import close_safety_point
from perennial.restore.site import bring_online
from perennial.restore.step import RestoreTrigger
from perennial.restore.volumes import remove_volumes
from perennial.steps.trigger import StepResult

CLEAN_UPS = (
    ("Letting users into the database", reopen_database, 300),
    ("Bringing the site online", bring_online, 300),
    ("Closing the safety point", close_safety_point, 300),
    ("Removing the volumes", remove_volumes, 1800),
)
"""What `close` does, users first, and the seconds for each: together less than its deadline (an hour), so that a host
or a server that hangs keeps none of the others, nor the record, from being seen to."""


class CloseRestoreTrigger(RestoreTrigger):
    """Removes what the restore made, lets users in again, writes how it ended, and gives the lease back."""

    async def work(self) -> StepResult:
        vault, owner, request = self.vault, self.owner, self.request()
        # Where somebody else holds the lease, there is only to say what is where.
        with suppress(LeaseLostError, LeaseBusyError):
            async with _lease_again(vault, request, owner) as lease, released_after(lease):
                await _close(await LeasedRestore.load(lease, request.restore_id))
        version = await vault.restores.get(request.target, request.restore_id)
        return _report(version.value if version else None, request)


@asynccontextmanager
async def _lease_again(vault: Vault, request: RestoreRequest, owner: str) -> AsyncIterator[TenantLease]:
    """The run's lease, taken once more when it was lost before the restore was closed.

    Raises:
        LeaseLostError, LeaseBusyError: when there is nothing of this run's to close, or somebody else holds it.
    """
    lease_version, record = (
        await vault.lease(request.target),
        await vault.restores.get(request.target, request.restore_id),
    )
    unclosed = record and record.value.owner == owner and record.value.state is RestoreState.RUNNING
    if unclosed and lease_version and lease_version.value.owner != owner:
        lease = await acquire(vault, request.target, owner, Purpose.RESTORE)
        async with renewing(lease):
            yield lease
    else:
        async with continue_under_lease(vault, request.target, owner) as lease:
            yield lease


async def _close(restore: LeasedRestore) -> None:
    """Clean up in the order in which a failure hurts least, each part whatever became of the others."""
    if restore.record.closed_at is None:
        reports = []
        for what, clean_up, seconds in CLEAN_UPS:
            try:
                async with asyncio.timeout(seconds):
                    reports.append(await clean_up(restore))
            except LeaseLostError:
                raise
            except TimeoutError:
                reports.append(f"{what} did not come to its end within {seconds} s: the host or the server may hang.")
            except PerennialError as error:
                reports.append(str(error))
        sentences = [sentence for sentence in reports if sentence]
        await restore.change(lambda record: finished(record, datetime.now(UTC), sentences))
    await end_reading(restore.vault, restore.record)


def _report(record: RestoreRecord | None, request: RestoreRequest) -> StepResult:
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
            "way_back": record.undo_form or None,
            "seconds": round(seconds, 1),
            "site": str(record.site),
            "steps": {step.name: f"{step.message} ({step.seconds:.1f} s)" for step in record.steps},
        }
    if record and record.state is RestoreState.RUNNING:
        raise PartError(
            f"Restore {record.id} of tenant {record.tenant} could not be closed: {left_unclosed(record)}",
            why="Somebody else holds the tenant's lease, so that nothing was cleaned up.",
            todo="When that run has ended, clear the task `close` of this one.",
        )
    steps_done = " ".join(f"({step.name}) {step.message}" for step in record.steps) if record else ""
    raise PartError(
        f"Restore {request.restore_id} of tenant {request.target} was not completed: "
        f"{record.failure if record else 'it has no record'}",
        why=f"Done before that: {steps_done or 'nothing.'}",
        todo="Mend the cause, then clear the task `open` of this run: every step may be repeated. If the site was "
        "brought online by hand meanwhile, start a new restore instead.",
    )
