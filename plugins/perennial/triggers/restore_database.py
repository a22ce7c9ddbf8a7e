"""The database of a restore: RESTORE DATABASE over the standing one, on one connection, and the checks after it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import ClassVar

from include.backups.errors import PartError, PerennialError, UnavailableError
from include.backups.recovery_points import Manifest
from perennial.hooks import database_access, databases, restoring
from perennial.hooks.leased import LeasedRestore
from perennial.hooks.sql_server import SqlServer, SqlServerError
from perennial.hooks.vault import Vault
from perennial.settings import Settings
from perennial.triggers.restore_step import RestoreStepTrigger


class RestoreDatabaseTrigger(RestoreStepTrigger):
    """Restores the .bak over the tenant's database; everybody else is kept out meanwhile."""

    step: ClassVar[str] = "restore_database"

    async def act(self, restore: LeasedRestore, point: Manifest) -> str:
        database = restore.record.target.database
        _, bak = restore.record.parts_of(point)
        url = restore.vault.backup_file_url(bak.key)
        server = SqlServer(database.connection, restore.vault.settings.mark(restore.record.id))
        await self._end_earlier_attempt(server, restore)
        await restore.change(lambda record: record.beginning_on(f"Database {database.name}"))
        try:
            await server.talk(
                lambda session: restoring.restore_over(session, database.name, [url]),
                pauses=restore.vault.settings.pauses,
            )
        except PartError as error:
            raise type(error)(
                f"The database of tenant {restore.record.tenant} was not restored. {error.what}",
                why=error.why,
                todo=error.todo,
                server=database.connection,
                file=bak.key,
            ) from error
        except SqlServerError as error:
            raise PartError(
                f"The database of tenant {restore.record.tenant} was not restored: {error}",
                why=f"Database {database.name} may be unusable until it is.",
                todo="Mend what the server complains about, then clear the task `open` of this run.",
                server=database.connection,
                file=bak.key,
            ) from error
        return f"Database {database.name} is restored from {bak.key} ({bak.size_bytes:,} bytes)."

    async def on_kill(self) -> None:
        """The run was ended by hand: end the statement too."""
        with suppress(PerennialError, SqlServerError):
            settings, request = Settings.from_environment(), self.request()
            record = await Vault(settings).restores.get(request.tenant, request.restore_id)
            if record:
                server = SqlServer(record.value.target.database.connection)
                await server.kill_sessions_of(settings.mark(request.restore_id))

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

    step: ClassVar[str] = "check"

    async def act(self, restore: LeasedRestore, point: Manifest) -> str:
        database = restore.record.target.database
        server, pauses = SqlServer(database.connection), restore.vault.settings.pauses
        try:
            await server.talk(lambda session: databases.check(session, database.name), pauses=pauses)
        except PartError as error:
            raise type(error)(
                f"The restored database of tenant {restore.record.tenant} cannot be relied on. {error.what}",
                why=error.why,
                todo=error.todo,
                server=database.connection,
            ) from error
        except SqlServerError as error:
            raise UnavailableError(
                f"The restored database of tenant {restore.record.tenant} could not be checked: {error}",
                why="It is restored; nobody knows whether it is sound.",
                todo="Bring the server up, then clear the task `open` of this run.",
                server=database.connection,
            ) from error
        return f"Database {database.name} is online and DBCC CHECKDB found no errors."


async def reopen_database(restore: LeasedRestore) -> str:
    """Let users in again if a broken restore has left them out; returns a sentence when the database is unusable."""
    database = restore.record.target.database
    server = SqlServer(database.connection)
    try:
        await server.kill_sessions_of(restore.vault.settings.mark(restore.record.id))
        return await server.talk(
            lambda session: database_access.let_users_in(session, database.name), pauses=restore.vault.settings.pauses
        )
    except (SqlServerError, PerennialError) as error:
        return f"Nobody knows the state of database {database.name}: {error}"
