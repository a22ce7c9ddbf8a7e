"""Closing a restore: clean up, say what is where, give the lease back."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import ClassVar

from include.rules.errors import LeaseLostError, PartError, PerennialError
from include.rules.points.failures import describe
from include.rules.points.leases import Purpose
from include.rules.restore.outcome import finished, left_unclosed
from include.rules.restore.record import RestoreRecord, RestoreState
from include.rules.restore.request import RestoreRequest
from perennial.hooks.vault.leased import LeasedRestore
from perennial.restore.database import reopen_database
from perennial.restore.readers import end_reading
from perennial.restore.safety_point import close_safety_point
from perennial.restore.site import bring_online
from perennial.restore.step import RestoreTrigger
from perennial.restore.volumes import RemoveVolumesTrigger, remove_volumes
from perennial.steps.closing import ClosingTrigger, leaving_it_to_others
from perennial.steps.trigger import StepResult, reason_of

log = logging.getLogger(__name__)

CLEAN_UPS = (
    ("Letting users into the database", reopen_database, 300),
    ("Bringing the site online", bring_online, 300),
    ("Closing the safety point", close_safety_point, 300),
    ("Removing the volumes", remove_volumes, 1800),
)
"""What `close` does, users first, and the seconds for each: together less than its deadline (an hour), so that a host
or a server that hangs keeps none of the others, nor the record, from being seen to."""


class CloseRestoreTrigger(RestoreTrigger, ClosingTrigger):
    """Removes what the restore made, lets users in again, writes how it ended, and gives the lease back."""

    clean_up: ClassVar[tuple[str, ...]] = (RemoveVolumesTrigger.step,)

    async def work(self) -> StepResult:
        _settings, request = self.settings, self.request()  # a missing setting is told before a form that is wrong
        # Where somebody else holds the lease, there is only to say what is where.
        with leaving_it_to_others():
            async with self.closing(request.target, Purpose.RESTORE, self._is_unclosed) as lease:
                restore = self.holding(await LeasedRestore.load(lease, request.restore_id))
                if restore.record.closed_at is None:
                    await self.complete_failures(restore)
                await _close(restore)
        return _report(await self.read_record(), request)

    async def _is_unclosed(self) -> bool:
        record = await self.read_record()
        return record is not None and record.owner == self.owner and record.state is RestoreState.RUNNING


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
            except Exception as error:
                if not isinstance(error, PerennialError):
                    log.exception("%s has failed in a way that nobody has foreseen.", what)
                reports.append(reason_of(error))
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
            "went_wrong": describe(record.failures),
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
