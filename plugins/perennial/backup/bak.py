"""The .bak: one BACKUP DATABASE statement that SQL Server writes straight into the vault, in as many files as it needs.

The statement cannot be asked for its result after a crash, and it must not be run twice into one file. So its file
names are claimed in the manifest first, the claim's name goes into the backup's header, and `msdb` has a row of that
name only for a backup that succeeded. A new attempt looks there first, then for the session that may still be at work.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from include.rules.backup.finished import finished_part
from include.rules.errors import PartError
from include.rules.points.backup_files import BackupFileClaim, BackupFilePart, stripes_after, stripes_needed
from include.rules.points.database_settings import restore_warning
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName
from include.rules.points.requests import Kind
from perennial.backup.attempt import backup_session, stop_backup
from perennial.backup.step import BackupStepTrigger
from perennial.backup.tries import Tries
from perennial.hooks import waits
from perennial.hooks.asynchronous import LoopLocks, PerLoop
from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.faults import Fault
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.sql_server.session import Row, Session
from perennial.hooks.sql_server.space import space_used
from perennial.hooks.vault.leased import LeasedPoint
from perennial.steps.trigger import StepResult

BUSY = 3023
"""Another backup of the same database is running (somebody else's): they must be serialised, so wait for it."""

ADVICE = {
    Fault.DAMAGE: "See with DBCC CHECKDB what is damaged in the database itself, and mend or restore it",
    Fault.LIMIT: "Lower PERENNIAL_STRIPE_MB, so that the .bak has more files from the first",
}
"""What an operator does where a backup, which only reads the database and writes new files, has met such a fault."""

_turns = LoopLocks()
"""Only one tenant of a server asks it for a free slot at a time."""

_places: PerLoop[dict[tuple[str, int], asyncio.Semaphore]] = PerLoop(dict)
"""As many tenants of a server as it has slots ask it for one; the others wait here, without a connection, and the next
one's turn comes as soon as one has ended. The slots themselves are the server's: other processes take them too.
"""


class BackupDatabaseTrigger(BackupStepTrigger):
    """Makes the .bak of the recovery point, or finds the one that an earlier attempt has made, and records it."""

    async def act(self, point: LeasedPoint) -> StepResult:
        if PartName.BAK in point.manifest.left_out:
            return {"message": f"Left out: {point.manifest.left_out[PartName.BAK]}."}
        if point.manifest.parts.bak:
            return {"keys": list(point.manifest.parts.bak.keys), "message": "An earlier attempt has made it."}
        row = await self._back_up_until_done(point)
        part = await self._part(point, row)
        await point.change(lambda manifest: manifest.with_backup_file(part))
        if warning := restore_warning(point.manifest.database_settings):
            self.log.warning("%s", warning)
        return {"keys": list(part.keys), "size_bytes": part.size_bytes, "backup_set": part.backup_set_uuid}

    async def stop(self, manifest: Manifest) -> None:
        await stop_backup(manifest, self.settings)

    async def _find_earlier_backup(self, point: LeasedPoint) -> Row | None:
        """The last claim's backup if it has succeeded or still does; None when there was none, or it was aborted."""
        claim = point.manifest.claim
        if claim is None or claim.discarded:
            return None
        server = SqlServer(point.manifest.source.database.connection)
        async with server.one_session():
            while not (row := await self._find_finished(point, server, claim)):
                sessions = await server.sessions_of(backup_session(point.manifest, point.vault.settings))
                if not sessions:
                    # It may have ended between the two questions: msdb has the last word.
                    return await self._find_finished(point, server, claim)
                self.log.info("The backup %s of an earlier attempt is running: %s.", claim.name, sessions)
                waits.note(f"the backup {claim.name} of an earlier attempt, which is running")
                await asyncio.sleep(point.vault.settings.poll.total_seconds())
        self.log.info("Adopting the backup %s, which an earlier attempt has made.", claim.name)
        return row

    async def _back_up_until_done(self, point: LeasedPoint) -> Row:
        """Find the backup of an earlier attempt, or run the statement, each time into a file of its own, until it
        succeeds; returns the row that msdb has of it.
        """
        settings = point.vault.settings
        tries, is_claimed = Tries(settings.pauses, settings.second_look.total_seconds()), False
        while True:
            try:
                return await self._find_earlier_backup(point) or await self._back_up(point, is_claimed=is_claimed)
            except SqlServerError as error:
                # A backup that was not let begin has written nothing: its claim is still good.
                is_claimed = error.number == BUSY
                pause = settings.pauses[-1] if is_claimed else tries.pause_after(error, point.manifest.claim)
                if error.met_file_limit:
                    await point.change(lambda manifest: manifest.model_copy(update={"claim": _too_small(manifest)}))
                if pause is None:
                    raise self._backup_error(point, str(error), error) from error
                self.log.warning("%s Trying again in %.0f s.", error, pause)
                waits.note(f"another try, after {error}")
            await asyncio.sleep(pause)

    async def _claim(self, point: LeasedPoint, server: SqlServer) -> None:
        """Claim a file name for each stripe that the database needs as it is now, and record where its files lie."""
        manifest = point.manifest
        space = await space_used(server, manifest.source.database.name)
        needed = stripes_needed(manifest.tenant, space.used_bytes, point.vault.settings.stripe_bytes)
        stripes = stripes_after(manifest.claim, needed)
        await point.change(
            lambda m: m.with_database(space.files, space.settings).with_claim(
                point.prefix, datetime.now(UTC), stripes=stripes
            )
        )

    async def _back_up(self, point: LeasedPoint, *, is_claimed: bool) -> Row:
        """Run the statement, for the claim at hand or else for a new one, as soon as the server has a slot for it."""
        manifest, settings = point.manifest, point.vault.settings
        server = SqlServer(manifest.source.database.connection, backup_session(manifest, settings))
        async with _place_at(server, settings.backups_per_server, is_urgent=manifest.kind is Kind.SAFETY):
            row = await self._back_up_when_granted(point, server, is_claimed=is_claimed)
        if row is None:
            raise self._backup_error(point, "SQL Server says that the backup succeeded, but msdb has no record of it.")
        return row

    async def _back_up_when_granted(self, point: LeasedPoint, server: SqlServer, *, is_claimed: bool) -> Row | None:
        """Run the statement once the server grants a slot; returns what msdb says of it."""
        settings = point.vault.settings
        while True:
            async with server.one_session():
                if not is_claimed:
                    await self._claim(point, server)
                    is_claimed = True
                claim = _claim_of(point.manifest)
                if await self._back_up_in_a_slot(point, server, claim):
                    return await self._find_finished(point, server, claim)
            self.log.info("All %d backup slots of %s are taken; waiting.", settings.backups_per_server, server.conn_id)
            waits.note(f"one of the {settings.backups_per_server} backup slots of {server.conn_id}, all taken")
            await asyncio.sleep(settings.poll.total_seconds())

    async def _back_up_in_a_slot(self, point: LeasedPoint, server: SqlServer, claim: BackupFileClaim) -> bool:
        """Run the statement if one of the server's slots is free; returns whether it has run."""
        manifest, settings = point.manifest, point.vault.settings
        copy_only = manifest.kind in (Kind.MANUAL, Kind.SAFETY)
        urls = point.vault.backup_file_urls(claim.keys)
        statement = tsql.backup_database(manifest.source.database.name, urls, claim.name, copy_only=copy_only)
        loop, started = asyncio.get_running_loop(), asyncio.Event()

        def back_up(session: Session) -> bool:
            if manifest.kind is Kind.SAFETY:  # its site is offline until it is done: it does not queue behind others
                loop.call_soon_threadsafe(started.set)
                session.run(statement)
                return True
            # The lock dies with the connection: a slot can never be lost, whatever happens to this process.
            for slot in range(settings.backups_per_server):
                if session.run(tsql.take_lock(f"{tsql.LOCK_PREFIX}{slot}"))[0]["granted"] >= 0:
                    loop.call_soon_threadsafe(started.set)
                    session.run(statement)
                    return True
            return False

        async with _turns.of(server.conn_id):
            await point.lease.check()
            talk = asyncio.ensure_future(server.talk(back_up))
            beginning = asyncio.ensure_future(started.wait())
            try:
                await asyncio.wait({talk, beginning}, return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                talk.cancel()
                raise
            finally:
                beginning.cancel()
        return await talk

    async def _find_finished(self, point: LeasedPoint, server: SqlServer, claim: BackupFileClaim) -> Row | None:
        rows = await server.run(tsql.finished_backup(claim.name, point.vault.backup_file_url(claim.keys[0])))
        return rows[0] if rows else None

    async def _part(self, point: LeasedPoint, row: Row) -> BackupFilePart:
        claim = _claim_of(point.manifest)
        stored = await point.vault.backup_files(claim.keys)
        files = tuple(file for file in stored if file)
        if len(files) < len(claim.keys):
            await point.change(lambda manifest: manifest.without_part(PartName.BAK))
            missing_keys = [key for key, file in zip(claim.keys, stored, strict=True) if file is None]
            raise self._backup_error(
                point, f"SQL Server has a record of the backup, but the vault has no {', '.join(missing_keys)}."
            )
        return finished_part(claim, files, row, datetime.now(UTC))

    def _backup_error(self, point: LeasedPoint, reason: str, error: SqlServerError | None = None) -> PartError:
        manifest, advice = point.manifest, "Check the server"
        if error:
            advice = ADVICE.get(error.fault, error.advice)
        return PartError(
            f"The database of tenant {manifest.tenant} could not be backed up: {reason}",
            why=f"Recovery point {manifest.id} has no .bak.",
            todo=f"{advice}, then clear the task `open` of this run.",
            database=manifest.source.database.name,
            server=manifest.source.database.connection,
        )


@asynccontextmanager
async def _place_at(server: SqlServer, slots: int, *, is_urgent: bool) -> AsyncIterator[None]:
    """Wait until fewer tenants than the server has slots are before this one; who is urgent waits behind nobody."""
    if is_urgent:
        yield
        return
    places = _places.get().setdefault((server.conn_id, slots), asyncio.Semaphore(slots))
    if places.locked():
        waits.note(f"one of the {slots} backup slots of {server.conn_id}, all taken")
    async with places:
        yield


def _too_small(manifest: Manifest) -> BackupFileClaim:
    return _claim_of(manifest).model_copy(update={"met_limit": True})


def _claim_of(manifest: Manifest) -> BackupFileClaim:
    if manifest.claim is None:
        raise AssertionError("a claim is made before the statement runs")
    return manifest.claim
