"""What a preview looks at on the database server and in the vault: the database, and every byte of the .bak."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from include.rules.backup.headers import header_differences
from include.rules.errors import RefusedError
from include.rules.points.backup_files import BackupFilePart
from include.rules.points.database_settings import DatabaseSettings
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName
from include.rules.register.tenants import Tenant
from include.rules.restore.database_obstacles import is_too_new
from include.rules.restore.database_places import home_folders
from include.rules.restore.database_survey import BackupFacts, DatabaseSurvey, ServerLimits
from include.rules.restore.request import DatabaseSource, RestoreRequest
from include.rules.restore.server_facts import ServerFacts
from include.rules.restore.survey import not_restorable
from perennial.hooks.sql_server import databases, tsql
from perennial.hooks.sql_server.database_settings import read_settings
from perennial.hooks.sql_server.errors import SqlServerError, translate_sql_errors
from perennial.hooks.sql_server.read_backup import look_twice, read_backup
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.sql_server.survey import Findings, backup_files, look_at, versions_of
from perennial.hooks.vault.vault import Vault

NO_CERTIFICATE = 33111
"""Number by which SQL Server says that it lacks the certificate that a database or a backup is encrypted by."""


@dataclass(frozen=True)
class DatabaseSurveyor:
    """Looks at the database half of one restore.

    Attributes:
        vault: Where the recovery point is.
        request: What was asked.
        point: The recovery point that was chosen.
        target: The tenant whose place it goes to.
        incarnation: Which incarnation of the preview looks.
    """

    vault: Vault
    request: RestoreRequest
    point: Manifest
    target: Tenant
    incarnation: str

    async def survey(self) -> DatabaseSurvey:
        """Look at the database and at the .bak, side by side.

        Raises:
            UnavailableError: when the database server or the vault does not answer.
        """
        if not self.request.takes_database:
            return DatabaseSurvey()
        async with asyncio.TaskGroup() as group:
            database = group.create_task(self._database())
            file = group.create_task(self._backup_file()) if self._wants_file else None
        (found, settings, server), (unusable, backup) = database.result(), file.result() if file else ("", None)
        return DatabaseSurvey(
            state=found.facts.state,
            access=found.facts.access,
            bytes=found.facts.size_bytes,
            files=found.facts.described,
            home=home_folders(found.facts.described, self.point, self.target),
            ties=found.ties,
            lacks=found.lacks,
            limits=found.facts.limits,
            free_bytes=found.free_bytes,
            gone=found.gone,
            backup=backup,
            backup_file=unusable,
            settings=settings,
            server=server,
        )

    async def stop(self) -> None:
        """End what SQL Server still reads for this survey."""
        server = self._server()
        await server.kill_sessions_of(server.program)

    @property
    def _wants_file(self) -> bool:
        return self.request.database_from is DatabaseSource.BACKUP_FILE

    async def _database(self) -> tuple[Findings, DatabaseSettings | None, ServerFacts]:
        name, recorded = self.request.database or self.target.database.name, self.point.database_settings
        with self._server_must_answer():
            return await self._server().talk(
                lambda session: (
                    look_at(session, name),
                    *read_settings(session, name, recorded.encryption if recorded else None),
                ),
                pauses=self.vault.settings.pauses,
            )

    async def _backup_file(self) -> tuple[str, BackupFacts | None]:
        """Why the .bak cannot be restored from (empty when every byte of it has been read and found right), and what
        it says of itself. One of a newer server is not read: this one could not.
        """
        bak = self.point.parts.bak
        if bak is None:
            return f"the point has no .bak ({self.point.left_out.get(PartName.BAK, 'nobody knows why')})", None
        etags = []
        for file in bak.files:
            stored = await self.vault.backup_file(file.key)
            if stored is None:
                return f"the .bak is missing from the vault ({file.key})", None
            if stored.size_bytes != file.size_bytes:
                return f"the .bak has {stored.size_bytes:,} bytes instead of {file.size_bytes:,} ({file.key})", None
            etags.append(stored.etag)
        urls = self.vault.backup_file_urls(bak.keys)
        with self._server_must_answer():
            try:
                server = self._server()
                async with server.one_session():
                    unusable, backup = await self._read(server, bak, urls)
            except SqlServerError as error:
                if error.number == NO_CERTIFICATE:
                    raise self._certificate_error(error) from error
                if error.is_damage:
                    return f"the .bak is damaged ({error})", None
                raise
        return unusable, replace(backup, etags=tuple(etags))

    async def _read(self, server: SqlServer, bak: BackupFilePart, urls: list[str]) -> tuple[str, BackupFacts]:
        settings = self.vault.settings
        backup, limits = await look_twice(lambda: self._versions(server, urls), settings)
        if is_too_new(backup, limits):
            return "", backup
        headers = await read_backup(server, urls, settings)
        differences = header_differences(headers, self.point, bak)
        if differences:
            return f"the .bak is another backup than the one that was verified ({', '.join(differences)})", backup
        return "", replace(backup, files=await backup_files(server, urls, settings.pauses))

    async def _versions(self, server: SqlServer, urls: list[str]) -> tuple[BackupFacts, ServerLimits]:
        """Which server made the .bak, and which one is to take it."""
        return await server.talk(
            lambda session: (versions_of(session.run(tsql.header(urls))[0]), databases.server_limits(session)),
            pauses=self.vault.settings.pauses,
        )

    def _certificate_error(self, error: SqlServerError) -> RefusedError:
        recorded = self.point.database_settings
        needed = recorded.encryption.described if recorded and recorded.encryption else "the certificate that it takes"
        return not_restorable(
            self.point,
            f"its database is encrypted, and {self.target.database.connection} does not have {needed} ({error})",
            "Create it there from its backup (CREATE CERTIFICATE ... FROM FILE ... WITH PRIVATE KEY), then start the "
            "restore again.",
        )

    def _server(self) -> SqlServer:
        label = self.vault.settings.run_label(f"{self.request.restore_id} preview {self.incarnation[:8]}")
        return SqlServer(self.target.database.connection, label, fresh=True)

    def _server_must_answer(self) -> AbstractContextManager[None]:
        return translate_sql_errors(
            f"The database server of tenant {self.target.id} cannot be used for this restore",
            why="Nothing was restored.",
            then="start the restore again",
            server=self.target.database.connection,
        )
