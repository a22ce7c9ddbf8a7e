"""What a preview looks at before anything is touched: the folder, the database, the .bak, the snapshots."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from dataclasses import dataclass

from include.rules.backup.headers import header_differences
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName, SnapshotRole
from include.rules.register.tenants import Tenant
from include.rules.restore.request import DatabaseSource, RestoreRequest
from include.rules.restore.survey import FolderFacts, Survey
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.hosts import translate_script_errors
from perennial.hooks.sql_server import databases
from perennial.hooks.sql_server.errors import SqlServerError, translate_sql_errors
from perennial.hooks.sql_server.read_backup import read_backup
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.vault.vault import Vault
from perennial.restore.site import inspect_folder

COUNT_SECONDS = 60
"""When a host gives up counting files."""


@dataclass(frozen=True)
class Surveyor:
    """Looks at everything that one restore is about.

    Attributes:
        vault: Where the recovery point is.
        request: What was asked.
        point: The recovery point that was chosen.
        target: The tenant whose place it goes to.
    """

    vault: Vault
    request: RestoreRequest
    point: Manifest
    target: Tenant

    async def survey(self) -> Survey:
        """Look at all of it, side by side.

        Raises:
            UnavailableError: when a host, the database server or AWS does not answer: then nothing can be restored
                there either.
        """
        try:
            async with asyncio.TaskGroup() as group:
                folder = group.create_task(self._folder()) if self.request.takes_files else None
                database = group.create_task(self._database()) if self.request.takes_database else None
                file = group.create_task(self._backup_file()) if self._wants_file else None
                snapshots = group.create_task(self._snapshots())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors  # one refusal is enough; the others were cancelled for it
        facts = database.result() if database else None
        return Survey(
            folder=folder.result() if folder else None,
            database_state=facts.state if facts else "",
            database_bytes=facts.size_bytes if facts else 0,
            database_files=facts.described if facts else (),
            backup_file=file.result() if file else "",
            snapshots=snapshots.result(),
        )

    async def stop(self) -> None:
        """End what SQL Server still reads for this survey."""
        server = self._server()
        await server.kill_sessions_of(server.program)

    @property
    def _wants_file(self) -> bool:
        return self.request.takes_database and self.request.database_from is DatabaseSource.BACKUP_FILE

    async def _folder(self) -> FolderFacts:
        web, settings = self.target.web, self.vault.settings
        folder = self.request.folder or web.path
        with translate_script_errors(
            f"Folder {folder} of tenant {self.target.id} could not be looked at",
            why="Nothing was restored.",
            todo="Check that the web host runs, that its SSM agent is online, and that the folder can be read.",
        ):
            what_for = f"{self.request.restore_id} preview"
            answer = await inspect_folder(settings, web, folder, what_for, count_seconds=COUNT_SECONDS)
        return FolderFacts(
            exists=answer["exists"],
            empty=answer["empty"],
            files=answer["files"] if answer["counted"] else None,
            bytes=answer["bytes"] if answer["counted"] else None,
            free_bytes=answer["free_bytes"],
            no_folder=answer["no_folder"],
            real=answer["real"],
            mounts=tuple(answer["mounts"]),
        )

    async def _database(self) -> databases.DatabaseFacts:
        database = self.target.database
        name = self.request.database or database.name
        with self._server_must_answer():
            return await self._server().talk(
                lambda session: databases.survey(session, name), pauses=self.vault.settings.pauses
            )

    async def _backup_file(self) -> str:
        """Why the .bak cannot be restored from; empty when every byte of it has been read and found right."""
        bak = self.point.parts.bak
        if bak is None:
            return f"the point has no .bak ({self.point.left_out.get(PartName.BAK, 'nobody knows why')})"
        for file in bak.files:
            stored = await self.vault.backup_file(file.key)
            if stored is None:
                return f"the .bak is missing from the vault ({file.key})"
            if stored.size_bytes != file.size_bytes:
                return f"the .bak has {stored.size_bytes:,} bytes instead of {file.size_bytes:,} ({file.key})"
        urls = self.vault.backup_file_urls(bak.keys)
        with self._server_must_answer():
            try:
                headers = await read_backup(self._server(), urls, pauses=self.vault.settings.pauses)
            except SqlServerError as error:
                if error.is_damage:
                    return f"the .bak is damaged ({error})"
                raise
        differences = header_differences(headers, self.point, bak)
        return (
            f"the .bak is another backup than the one that was verified ({', '.join(differences)})"
            if differences
            else ""
        )

    async def _snapshots(self) -> dict[SnapshotRole, str]:
        parts = {role: self.point.snapshot(role) for role in SnapshotRole}
        snapshots = await Ebs.of(self.vault.settings).snapshots(self.point.parts.snapshot_ids)
        unusable = {}
        for role, part in parts.items():
            if part is None:
                unusable[role] = f"it has no {role.value} ({self.point.left_out.get(role.value, 'nobody knows why')})"
            elif part.snapshot_id not in snapshots:
                unusable[role] = f"snapshot {part.snapshot_id} is gone"
            elif snapshots[part.snapshot_id].state != "completed":
                unusable[role] = f"snapshot {part.snapshot_id} is {snapshots[part.snapshot_id].state}"
        return unusable

    def _server(self) -> SqlServer:
        label = self.vault.settings.run_label(f"{self.request.restore_id} preview")
        return SqlServer(self.target.database.connection, label)

    def _server_must_answer(self) -> AbstractContextManager[None]:
        return translate_sql_errors(
            f"The database server of tenant {self.target.id} cannot be used for this restore",
            why="Nothing was restored.",
            todo="Bring the server up, or mend what it complains about, then start the restore again.",
            server=self.target.database.connection,
        )
