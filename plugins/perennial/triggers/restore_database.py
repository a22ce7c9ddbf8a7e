"""The database of a restore: brought back from the .bak or from the snapshot of its volume, and checked."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import ClassVar

from include.backups.errors import PartError, PerennialError, RefusedError, UnavailableError
from include.backups.recovery_points import Manifest, SnapshotRole
from include.backups.restore_plans import RestorePlan
from include.backups.restore_records import CHECK, RESTORE_DATABASE
from include.backups.restore_requests import DatabaseSource
from perennial.hooks import databases, restoring
from perennial.hooks.database_access import let_users_in
from perennial.hooks.database_users import OrphanedUser, orphaned_users
from perennial.hooks.hosts import Hosts
from perennial.hooks.leased import LeasedRestore
from perennial.hooks.sql_server import Session, SqlServer, SqlServerError
from perennial.settings import Settings
from perennial.triggers.restore_database_files import attach, copy_files
from perennial.triggers.restore_step import Done, RestoreStepTrigger
from perennial.triggers.restore_volume import COPY_MARKS


class RestoreDatabaseTrigger(RestoreStepTrigger):
    """Brings the database back, over the tenant's own or under another name; everybody else is kept out meanwhile."""

    step: ClassVar[str] = RESTORE_DATABASE

    async def act(self, restore: LeasedRestore, point: Manifest) -> Done:
        plan = restore.record.plan
        if plan.database is None:
            return Done("No database was asked for.")
        server = SqlServer(plan.target.database.connection, restore.vault.settings.mark(restore.record.id))
        await self._end_earlier_attempt(server, restore)
        copied = 0
        if plan.database_from is DatabaseSource.SNAPSHOT:
            copied = await copy_files(restore, point, server, limit=float(self.deadline))
        mine = self.step in restore.record.begun
        await restore.change(lambda record: record.beginning_on(self.step, f"Database {plan.database}"))
        try:
            if plan.database_from is DatabaseSource.SNAPSHOT:
                return await self._from_snapshot(restore, point, server, copied)
            return await self._from_backup_file(restore, point, server, mine=mine)
        except RefusedError:
            if not mine:
                await restore.change(lambda record: record.not_begun_on(self.step))
            raise
        except SqlServerError as error:
            raise PartError(
                f"The database of tenant {restore.record.tenant} was not restored: {error}",
                why=f"Nobody knows the state of database {plan.database}.",
                todo="Bring the server up, then clear the task `open` of this run.",
                server=server.conn_id,
            ) from error

    async def on_kill(self) -> None:
        """The run was ended by hand: end the statement and the script too."""
        with suppress(PerennialError, SqlServerError):
            record = await self.record_of_run()
            if record is None:
                return
            settings, database = Settings.from_environment(), record.plan.target.database
            await SqlServer(database.connection).kill_sessions_of(settings.mark(record.id))
            if SnapshotRole.DATABASE in record.plan.snapshots:
                mark = settings.mark(f"{record.id} {COPY_MARKS[SnapshotRole.DATABASE]}")
                await Hosts.of(settings).cancel(database.instance, mark)

    async def _from_backup_file(
        self, restore: LeasedRestore, point: Manifest, server: SqlServer, *, mine: bool
    ) -> Done:
        plan, bak = restore.record.plan, point.parts.bak
        if bak is None or plan.database is None:
            raise PartError(f"Recovery point {point.id} has no .bak.", todo="Restore another recovery point.")
        name, urls = plan.database, restore.vault.backup_file_urls(bak.keys)

        def talk(session: Session) -> None:
            if plan.replaces_database:
                restoring.restore_over(session, name, urls)
            else:
                restoring.restore_as_new(session, name, urls, mine=mine)

        await server.talk(talk, pauses=restore.vault.settings.pauses)
        return Done(f"Database {name} is restored from {bak.name} ({bak.size_bytes:,} bytes).", bak.size_bytes)

    async def _from_snapshot(self, restore: LeasedRestore, point: Manifest, server: SqlServer, copied: int) -> Done:
        await server.talk(lambda session: attach(session, restore.record, point), pauses=restore.vault.settings.pauses)
        return Done(
            f"Database {restore.record.plan.database} is attached from the files of the snapshot, crash-consistent "
            f"({copied:,} bytes).",
            copied,
        )

    async def _end_earlier_attempt(self, server: SqlServer, restore: LeasedRestore) -> None:
        """An attempt whose task was cleared may still be restoring; two at once would only get in each other's way."""
        try:
            while await server.kill_sessions_of(server.program):  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(restore.vault.settings.poll.total_seconds())
        except SqlServerError as error:
            raise UnavailableError(
                f"The database server of tenant {restore.record.tenant} does not answer: {error}",
                why="The database was not touched.",
                todo="Bring the server up, then clear the task `open` of this run.",
                server=server.conn_id,
            ) from error


class CheckRestoreTrigger(RestoreStepTrigger):
    """Checks what came back: the database is online, open to its users, and DBCC CHECKDB finds it clean."""

    step: ClassVar[str] = CHECK

    async def act(self, restore: LeasedRestore, point: Manifest) -> Done:
        plan = restore.record.plan
        if plan.database is None:
            return Done("Every file was compared when it was copied.")
        name, server = plan.database, SqlServer(plan.target.database.connection)

        def talk(session: Session) -> tuple[OrphanedUser, ...]:
            databases.check(session, name)
            return orphaned_users(session, name)

        try:
            orphans = await server.talk(talk, pauses=restore.vault.settings.pauses)
        except SqlServerError as error:
            raise UnavailableError(
                f"The restored database of tenant {restore.record.tenant} could not be checked: {error}",
                why="It is restored; nobody has looked whether it is sound.",
                todo="Bring the server up, then clear the task `open` of this run.",
                database=name,
                server=server.conn_id,
            ) from error
        clean = f"Database {name} is online and DBCC CHECKDB found no errors."
        return Done(" ".join([clean, *(f"User {o.name} has no login: {o.remedy}" for o in orphans)]))


async def reopen_database(restore: LeasedRestore) -> str:
    """Let users in again if a broken restore has left them out; returns a sentence when the database is unusable."""
    plan = restore.record.plan
    if not _may_be_shut(restore, plan):
        return ""
    server, name = SqlServer(plan.target.database.connection), str(plan.database)
    try:
        await server.kill_sessions_of(restore.vault.settings.mark(restore.record.id))
        return await server.talk(lambda session: let_users_in(session, name), pauses=restore.vault.settings.pauses)
    except SqlServerError as error:
        return f"Nobody knows the state of database {name}: {error}"


def _may_be_shut(restore: LeasedRestore, plan: RestorePlan) -> bool:
    return plan.replaces_database and RESTORE_DATABASE in restore.record.begun
