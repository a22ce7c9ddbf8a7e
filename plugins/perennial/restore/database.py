"""The database of a restore: brought back from the .bak or from the snapshot of its volume, and checked."""

from __future__ import annotations

from contextlib import suppress
from typing import ClassVar

from include.rules.errors import PartError, RefusedError
from include.rules.points.manifest import Manifest
from include.rules.restore.database_places import home_folders
from include.rules.restore.record import CHECK, RESTORE_DATABASE, RestoreRecord
from include.rules.restore.request import DatabaseSource
from perennial.hooks.sql_server import databases
from perennial.hooks.sql_server.access import let_users_in
from perennial.hooks.sql_server.errors import SqlServerError, translate_sql_errors
from perennial.hooks.sql_server.read_backup import look_twice
from perennial.hooks.sql_server.restore import (
    check_readable,
    drop_half_restored,
    restore_as_new,
    restore_over,
)
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.sql_server.session import Session
from perennial.hooks.vault.leased import LeasedRestore
from perennial.restore.begun import begin_on_database, withdraw_if_untouched
from perennial.restore.database_files import describe_copied_files, left_unchecked, own_name, put_in_place
from perennial.restore.database_preparation import end_earlier_attempt, is_prepared, prepare, stop_on_database_host
from perennial.restore.settings import describe_settings, not_put_back, put_settings_back
from perennial.restore.step import RestoreStepTrigger, StepReport


class RestoreDatabaseTrigger(RestoreStepTrigger):
    """Brings the database back, over the tenant's own or under another name; everybody else is kept out meanwhile."""

    step: ClassVar[str] = RESTORE_DATABASE

    async def act(self, restore: LeasedRestore, point: Manifest) -> StepReport:
        plan = restore.record.plan
        if plan.database is None:
            return StepReport("No database was asked for.")
        label, fence = restore.vault.settings.run_label(restore.record.id), restore.lease.check
        server = SqlServer(plan.target.database.connection, label, fence)
        try:
            if plan.database_from is DatabaseSource.SNAPSHOT:
                return await self._from_snapshot(restore, point, server)
            return await self._from_backup_file(restore, point, server)
        except (PartError, RefusedError) as error:
            with suppress(SqlServerError):  # nobody knows: the mark stays
                if await withdraw_if_untouched(restore, server):
                    raise error.adding(f"Nothing was written to database {plan.database}.") from error
            raise
        except SqlServerError as error:
            has_begun = self.step in restore.record.begun
            raise PartError(
                f"The database of tenant {restore.record.tenant} was not restored: {error}",
                why=f"Nobody knows the state of database {plan.database}." if has_begun else "It was not touched.",
                todo=f"{error.advice}, then clear the task `open` of this run.",
                server=server.conn_id,
            ) from error

    async def _put_settings_back(self, restore: LeasedRestore, point: Manifest, server: SqlServer) -> str:
        """Sentences on what became of the settings; whatever the server says, the data is back."""
        plan, pauses = restore.record.plan, restore.vault.settings.pauses
        try:
            return await server.talk(lambda session: put_settings_back(session, plan, point), pauses=pauses)
        except SqlServerError as error:
            return not_put_back(error)

    async def stop(self, record: RestoreRecord) -> None:
        await stop_on_database_host(self.settings, record)

    async def _from_backup_file(self, restore: LeasedRestore, point: Manifest, server: SqlServer) -> StepReport:
        record, bak, pauses = restore.record, point.parts.bak, restore.vault.settings.pauses
        if bak is None or record.plan.database is None:
            raise PartError(f"Recovery point {point.id} has no .bak.", todo="Restore another recovery point.")
        name, urls = record.plan.database, restore.vault.backup_file_urls(bak.keys)

        def readable(session: Session) -> None:
            check_readable(session, urls)

        def talk(session: Session) -> None:
            if record.plan.replaces_database:
                home = home_folders((), point, record.plan.target)
                restore_over(session, name, urls, stem=own_name(record), home=home, keep_cdc=record.plan.keep_cdc)
            else:
                restore_as_new(session, name, urls, stem=own_name(record), keep_cdc=record.plan.keep_cdc)

        async with server.one_session():
            await end_earlier_attempt(restore, server)
            await look_twice(lambda: server.talk(readable, pauses=pauses), restore.vault.settings)
            await begin_on_database(restore, server)
            await look_twice(lambda: server.talk(talk, pauses=pauses), restore.vault.settings)
            settings = await self._put_settings_back(restore, point, server)
        done = f"Database {name} is restored from {bak.name} ({bak.size_bytes:,} bytes)."
        return StepReport(f"{done} {settings}".strip(), bak.size_bytes)

    async def _from_snapshot(self, restore: LeasedRestore, point: Manifest, server: SqlServer) -> StepReport:
        pauses = restore.vault.settings.pauses
        await end_earlier_attempt(restore, server)
        copied_bytes = 0
        # Once more only where what was prepared has gone since: a second check would keep the site offline for nothing.
        if not await is_prepared(restore, point, server):
            copied_bytes = await prepare(restore, point, server, limit=float(self.deadline))
        async with server.one_session():
            if restore.record.plan.replaces_database:
                await begin_on_database(restore, server)
                await server.talk(lambda session: put_in_place(session, restore.record, point), pauses=pauses)
            settings = await self._put_settings_back(restore, point, server)
        done = f"Database {restore.record.plan.database} is made of the files of the snapshot, crash-consistent."
        return StepReport(f"{done} {settings}".strip(), copied_bytes)


class CheckRestoreTrigger(RestoreStepTrigger):
    """Checks what came back: the database is online, open to its users, and DBCC CHECKDB finds it clean."""

    step: ClassVar[str] = CHECK

    async def act(self, restore: LeasedRestore, point: Manifest) -> StepReport:
        plan = restore.record.plan
        if plan.database is None:
            return StepReport("Every file was compared when it was copied.")
        name, server = plan.database, SqlServer(plan.target.database.connection)

        def talk(session: Session) -> str:
            databases.check(session, name)
            return describe_settings(session, plan, point)

        with translate_sql_errors(
            f"The restored database of tenant {restore.record.tenant} could not be checked",
            why="It is restored; nobody has looked whether it is sound.",
            database=name,
            server=server.conn_id,
        ):
            settings = restore.vault.settings
            around = await look_twice(lambda: server.talk(talk, pauses=settings.pauses), settings)
        return StepReport(f"Database {name} is online and DBCC CHECKDB found no errors. {around}".strip())


async def reopen_database(restore: LeasedRestore) -> str:
    """Let users in again if a broken restore has left them out, and drop what it has half made under another name.

    Returns sentences on what is unusable or left; empty when nothing is.
    """
    record, settings = restore.record, restore.vault.settings
    if record.plan.database is None:
        return ""
    server = SqlServer(record.plan.target.database.connection, fence=restore.lease.check)
    has_begun = RESTORE_DATABASE in record.begun
    try:
        async with server.one_session():
            if has_begun or record.copied_files:
                await server.kill_sessions_of(settings.run_label(record.id))
            database = await _end_restore(restore, server) if has_begun else ""
            return " ".join(
                sentence for sentence in (database, await describe_copied_files(restore, server)) if sentence
            )
    except SqlServerError as error:
        if has_begun:
            return f"Nobody knows the state of database {record.plan.database}: {error}"
        files = ", ".join(record.copied_files)
        return f"Nobody knows what has become of the database files copied from the snapshot ({files}): {error}"


async def _end_restore(restore: LeasedRestore, server: SqlServer) -> str:
    """What a restore has to do, and to say, at its end of the database on which it has begun."""
    record, pauses = restore.record, restore.vault.settings.pauses
    name = str(record.plan.database)
    if record.plan.replaces_database:
        before = record.database_before
        if before and before.state == databases.OFFLINE and await withdraw_if_untouched(restore, server):
            return ""  # offline before, and offline still
        sentence = await server.talk(lambda session: let_users_in(session, name), pauses=pauses)
        if not record.has_done(CHECK):
            await withdraw_if_untouched(restore, server)
        return sentence
    if record.has_done(CHECK):
        return ""
    is_left = await server.talk(lambda session: drop_half_restored(session, name, stem=own_name(record)), pauses=pauses)
    await restore.change(lambda r: r.not_begun_on(RESTORE_DATABASE))  # it has overwritten nothing
    return left_unchecked(name) if is_left else ""
