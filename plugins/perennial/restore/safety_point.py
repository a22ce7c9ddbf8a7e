"""The safety point of a restore: a recovery point of what is about to be overwritten, taken in the same run.

It is made by the steps of every backup, under the restore's lease and in one task. It leaves out what the restore does
not touch, and what cannot be backed up any more.
"""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar

from include.rules.backup.attempts import is_settled
from include.rules.errors import PerennialError, RefusedError
from include.rules.points.backup_files import DatabaseFile
from include.rules.points.levels import provable_level
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName, SnapshotRole
from include.rules.points.requests import BackupRequest
from include.rules.restore.databases import ATTACHABLE, why_unsavable
from include.rules.restore.record import RestoreRecord
from perennial.backup.attempt import begin_attempt, end_attempt
from perennial.backup.bak import BackupDatabaseTrigger
from perennial.backup.snapshot import SnapshotVolumeTrigger
from perennial.backup.step import BackupStepTrigger
from perennial.backup.verify import VerifyRecoveryPointTrigger
from perennial.hooks.sql_server.databases import ONLINE, survey
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.vault.leased import LeasedPoint, LeasedRestore
from perennial.restore.step import RestoreStepTrigger, StepReport, server_must_answer
from perennial.settings import Settings

SEEN = 2
"""The level that only a point reaches whose volumes were looked at."""


class TakeSafetyPointTrigger(RestoreStepTrigger):
    """Makes and verifies the safety point; does nothing when nothing is overwritten."""

    step: ClassVar[str] = "take_safety_point"

    async def act(self, restore: LeasedRestore, point: Manifest) -> StepReport:
        request = restore.record.safety_request
        if not request:
            return StepReport("This restore overwrites nothing: it needs no safety point.")
        safety = await self._begin(restore, BackupRequest.parse(request))
        why_lost = restore.record.why_unsavable
        if safety is None:
            return StepReport(f"No safety point was taken of the database: {why_lost or 'there was none to keep'}.")
        await restore.change(lambda record: record.model_copy(update={"safety_point": safety.manifest.id}))
        if not is_settled(safety.manifest):
            self.holding(safety)
            for step in _steps(request):
                await step.act(safety)
            await end_attempt(safety)
        if provable_level(safety.manifest) < SEEN and not restore.record.has_changed_the_site:
            raise _unseen_error(safety.manifest)
        parts = safety.manifest.parts.names
        undo = f"the database cannot be brought back: {why_lost}" if why_lost else "restore it to undo this restore"
        return StepReport(f"Safety point {safety.manifest.id} holds {', '.join(parts)}: {undo}.")

    async def call_off(self) -> None:
        """End what SQL Server does for the safety point."""
        with suppress(PerennialError):
            record = await self.read_record()
            for step in _steps(record.safety_request) if record and record.safety_request else ():
                await step.call_off()

    async def _begin(self, restore: LeasedRestore, request: BackupRequest) -> LeasedPoint | None:
        """Claim the point's id, or take up what an earlier attempt has claimed; None when there is nothing to keep."""
        vault, lease, target = restore.vault, restore.lease, restore.record.plan.target
        current = await vault.points.get(target.id, request.recovery_point_id)
        if current and is_settled(current.value):
            # Taken by an earlier attempt, before anything was overwritten: that is the state to go back to.
            return LeasedPoint(lease, current)
        if restore.record.has_changed_the_site:
            return None  # an earlier attempt has found nothing to keep, and what is there now is half restored
        left_out, files, why_lost = await _parts_left_out(restore.record, vault.settings)
        await restore.change(lambda record: record.model_copy(update={"why_unsavable": why_lost}))
        if len(left_out) == len(PartName):
            return None
        note = f"Before {restore.record.id}"
        return await begin_attempt(lease, current, request, target, note=note, left_out=left_out, database_files=files)


async def close_safety_point(restore: LeasedRestore) -> str:
    """End the safety point's attempt if it has not come to its end; there is nothing to say of it (an empty text)."""
    if restore.record.safety_point is None:
        return ""
    point = await LeasedPoint.load(restore.lease, restore.record.safety_point)
    if point.manifest.closed_at is None:
        await end_attempt(point)
    return ""


def _unseen_error(manifest: Manifest) -> RefusedError:
    """Of a point that an earlier version has taken: the snapshot step of this one lets none pass."""
    return RefusedError(
        f"Safety point {manifest.id} of tenant {manifest.tenant} was taken without a look at its volumes.",
        why="Nobody knows whether it is a way back, so nothing was overwritten.",
        todo="Start a new restore: it takes a new one.",
    )


def _steps(request: str) -> tuple[BackupStepTrigger, ...]:
    """The steps of a backup, in their order."""
    return (
        SnapshotVolumeTrigger(request=request, role=SnapshotRole.WEB.value),
        SnapshotVolumeTrigger(request=request, role=SnapshotRole.DATABASE.value),
        BackupDatabaseTrigger(request=request),
        VerifyRecoveryPointTrigger(request=request),
    )


async def _parts_left_out(
    record: RestoreRecord, settings: Settings
) -> tuple[dict[PartName, str], tuple[DatabaseFile, ...], str]:
    """Parts that the safety point does without, and why; the files by which the others find the database; and why
    nothing can bring the database back (empty when something can).
    """
    plan = record.plan
    if not plan.replaces_database:
        reason = "the restore does not touch the database"
        return {PartName.DB_SNAPSHOT: reason, PartName.BAK: reason}, (), ""
    left_out = {} if plan.replaces_files else {PartName.WEB_SNAPSHOT: "the restore does not touch the files"}
    database = plan.target.database
    server = SqlServer(database.connection)
    with server_must_answer(record.tenant, server, why="Without a safety point nothing is overwritten; nothing was."):
        facts = await server.talk(lambda session: survey(session, database.name), pauses=settings.pauses)
    why_lost = why_unsavable(database, facts.state, facts.described)
    if why_lost and not plan.why_unsavable:
        raise RefusedError(
            f"Database {database.name} of tenant {record.tenant} cannot be kept safe before it is overwritten: "
            f"{why_lost}.",
            why="Nobody has approved its loss; nothing was overwritten.",
            todo="Start a new restore: its preview says so and asks for an approval.",
        )
    if facts.state in ATTACHABLE:
        left_out[PartName.BAK] = f"database {database.name} is {facts.state}: its snapshot has to do"
    elif facts.state != ONLINE:
        reason = f"database {database.name} is {facts.state or 'not there'}: a snapshot could not bring it back"
        left_out |= {PartName.DB_SNAPSHOT: reason, PartName.BAK: reason}
    return left_out, facts.described, why_lost
