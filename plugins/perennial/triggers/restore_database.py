"""The database of a restore: RESTORE DATABASE over the standing one, on one connection, and the checks after it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import ClassVar

from include.backups.errors import PartError, PerennialError, UnavailableError
from include.backups.recovery_points import Manifest
from include.backups.restores import moves
from perennial.hooks import tsql
from perennial.hooks.leased import LeasedRestore
from perennial.hooks.sql_server import Session, SqlServer, SqlServerError
from perennial.hooks.vault import Vault
from perennial.settings import Settings
from perennial.triggers.restore_step import RestoreStepTrigger

ONLINE, OFFLINE, MULTI_USER = "ONLINE", "OFFLINE", "MULTI_USER"


class RestoreDatabaseTrigger(RestoreStepTrigger):
    """Restores the .bak over the tenant's database; everybody else is kept out meanwhile."""

    step: ClassVar[str] = "restore_database"

    async def act(self, restore: LeasedRestore, point: Manifest) -> str:
        database = restore.record.target.database
        _, bak = restore.record.parts_of(point)
        urls = restore.vault.backup_file_urls(bak.keys)
        server = SqlServer(database.connection, restore.vault.settings.mark(restore.record.id))
        await self._end_earlier_attempt(server, restore)
        await restore.change(lambda record: record.beginning_on(f"Database {database.name}"))
        try:
            await server.talk(
                lambda session: restore_over(session, database.name, urls), pauses=restore.vault.settings.pauses
            )
        except SqlServerError as error:
            raise PartError(
                f"The database of tenant {restore.record.tenant} was not restored: {error}",
                why=f"Database {database.name} may be unusable until it is.",
                todo="Mend what the server complains about, then clear the task `open` of this run.",
                server=database.connection,
                backup=bak.name,
            ) from error
        return f"Database {database.name} is restored from {bak.name} ({bak.size_bytes:,} bytes)."

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
            state = await server.talk(lambda session: _state(session, database.name), pauses=pauses)
            if state != (ONLINE, MULTI_USER):
                raise PartError(
                    f"The restored database of tenant {restore.record.tenant} is {' '.join(state) or 'not there'}.",
                    todo="See SQL Server's error log, then clear the task `open` of this run.",
                    database=database.name,
                )
            await server.run(tsql.check_database(database.name), pauses=pauses)
        except SqlServerError as error:
            raise PartError(
                f"The restored database of tenant {restore.record.tenant} did not pass its check: {error}",
                why="It is open to its users, and it may be damaged.",
                todo="Restore an older recovery point.",
                database=database.name,
                server=database.connection,
            ) from error
        return f"Database {database.name} is online and DBCC CHECKDB found no errors."


def restore_over(session: Session, database: str, urls: Sequence[str]) -> None:
    """Restore a backup over `database`, which may be there, left over from a broken restore, or not at all.

    The database is taken offline first: SINGLE_USER would leave one place, and any client could slip into it before
    the restore does. Users are let in again whatever happens.
    """
    defaults = session.run(tsql.default_folders())[0]
    present = {row["name"]: row["physical_name"] for row in session.run(tsql.database_files(database))}
    where = moves(session.run(tsql.file_list(urls)), present, defaults["data_folder"], defaults["log_folder"])
    if _state(session, database)[0] == ONLINE:
        session.run(tsql.set_access(database, tsql.OFFLINE))
    try:
        session.run(tsql.restore_database(database, urls, where))
    except SqlServerError:
        # Whatever this meets (a lost connection, a database left RESTORING), the first error is the one to report.
        with suppress(SqlServerError):
            let_users_in(session, database)
        raise
    let_users_in(session, database)


def let_users_in(session: Session, database: str) -> str:
    """Bring the database back to where its users can work; returns a sentence when it cannot be."""
    if _state(session, database)[0] == OFFLINE:
        session.run(tsql.set_access(database, tsql.ONLINE))
    state, access = _state(session, database)
    if state != ONLINE:
        return f"Database {database} is {state or 'not there'}."
    if access != MULTI_USER:
        session.run(tsql.set_access(database, tsql.MULTI_USER))
    return ""


async def reopen_database(restore: LeasedRestore) -> str:
    """Let users in again if a broken restore has left them out; returns a sentence when the database is unusable."""
    database = restore.record.target.database
    server = SqlServer(database.connection)
    try:
        await server.kill_sessions_of(restore.vault.settings.mark(restore.record.id))
        return await server.talk(
            lambda session: let_users_in(session, database.name), pauses=restore.vault.settings.pauses
        )
    except (SqlServerError, PerennialError) as error:
        return f"Nobody knows the state of database {database.name}: {error}"


def _state(session: Session, database: str) -> tuple[str, str]:
    """State and user access, for instance ONLINE and MULTI_USER; empty when there is no such database."""
    rows = session.run(tsql.database_state(database))
    return (str(rows[0]["state_desc"]), str(rows[0]["user_access_desc"])) if rows else ("", "")
