"""Verification: the barrier that needs all parts complete, and then reads the backup back.

Level 1, complete: both snapshots completed, every file of the .bak present with the size, ETag and checksums that were
recorded.
Level 2, readable: RESTORE VERIFYONLY WITH CHECKSUM passes and the header shows this database, this backup, these LSNs.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from include.rules.backup.headers import header_differences
from include.rules.errors import DamagedBackupError, PartError, UnavailableError
from include.rules.points.backup_files import BackupFilePart, StoredFile
from include.rules.points.manifest import Manifest, Verification
from include.rules.points.parts import PartName, SnapshotPart, SnapshotRole
from perennial.backup.snapshot_poller import poller
from perennial.backup.step import BackupStepTrigger
from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.session import SqlServer, SqlServerError
from perennial.hooks.vault.leased import LeasedPoint
from perennial.steps.trigger import StepResult


class VerifyRecoveryPointTrigger(BackupStepTrigger):
    """Proves the recovery point up to level 2 and makes it restorable."""

    async def act(self, point: LeasedPoint) -> StepResult:
        manifest = point.manifest
        missing = manifest.missing()
        if missing:
            raise PartError(
                f"Recovery point {manifest.id} of tenant {manifest.tenant} has no {', '.join(missing)}.",
                todo="Clear the task `open` of this run.",
            )
        snapshots = [(role, part) for role in SnapshotRole if (part := manifest.snapshot(role))]
        await asyncio.gather(*(self._snapshot_completed(point, role, part) for role, part in snapshots))
        checks, level = ["snapshots completed"], 1
        bak = manifest.parts.bak
        if bak:
            await self._files_present(point, bak)
        await point.change(lambda m: m.complete())
        if bak:
            await self._backup_readable(point, bak)
            checks, level = [*checks, "files present", "RESTORE VERIFYONLY WITH CHECKSUM", "RESTORE HEADERONLY"], 2
        proof = Verification(level=level, at=datetime.now(UTC), checks=tuple(checks))
        await point.change(lambda m: m.verified(proof))
        return {"recovery_point": manifest.id, "level": proof.level}

    async def stop(self, manifest: Manifest) -> None:
        if manifest.parts.bak:  # reading it may take as long as the backup did
            server = SqlServer(manifest.source.database.connection)
            await server.kill_sessions_of(self.settings.run_label(f"verify {manifest.parts.bak.name}"))

    async def _snapshot_completed(self, point: LeasedPoint, role: SnapshotRole, part: SnapshotPart) -> None:
        snapshot = await poller(point.vault.settings).settled(part.snapshot_id)
        if snapshot and snapshot.state == "completed":
            return
        await point.change(lambda manifest: manifest.without_part(PartName(role)))
        raise PartError(
            f"The {role.value} of tenant {point.manifest.tenant} is {snapshot.state if snapshot else 'gone'}.",
            why=f"Recovery point {point.manifest.id} is not whole.",
            todo="Clear the task `open` of this run: a new attempt takes a new snapshot.",
            snapshot=part.snapshot_id,
        )

    async def _files_present(self, point: LeasedPoint, bak: BackupFilePart) -> None:
        found = await point.vault.backup_files(bak.keys)
        wrong = [_difference(*pair) for pair in zip(bak.files, found, strict=True) if pair[0] != pair[1]]
        if wrong:
            raise await self._damaged(point, bak, "; ".join(wrong))

    async def _backup_readable(self, point: LeasedPoint, bak: BackupFilePart) -> None:
        database = point.manifest.source.database
        server = SqlServer(database.connection, point.vault.settings.run_label(f"verify {bak.name}"))
        urls = point.vault.backup_file_urls(bak.keys)
        pauses = point.vault.settings.pauses
        await point.lease.check()
        try:
            await server.run(tsql.verify(urls), pauses=pauses)
            headers = await server.run(tsql.header(urls), pauses=pauses)
        except SqlServerError as error:
            if error.is_damage:
                raise await self._damaged(point, bak, str(error)) from error
            raise UnavailableError(
                f"The .bak of tenant {point.manifest.tenant} could not be verified: {error}",
                why=f"Recovery point {point.manifest.id} is complete but not verified.",
                todo="Check the server, then clear the task `open` of this run: nothing is made anew.",
                server=database.connection,
            ) from error
        wrong = header_differences(headers, point.manifest, bak)
        if wrong:
            raise await self._damaged(point, bak, f"its header is not that of this backup: {', '.join(wrong)}")

    async def _damaged(self, point: LeasedPoint, bak: BackupFilePart, reason: str) -> DamagedBackupError:
        """Forget the .bak, so that no later attempt adopts it, and say what is wrong with it."""
        await point.change(lambda manifest: manifest.without_part(PartName.BAK))
        return DamagedBackupError(
            f"The .bak of tenant {point.manifest.tenant} cannot be trusted: {reason}",
            why=f"Recovery point {point.manifest.id} cannot be restored from it.",
            todo="Clear the task `open` of this run: a new attempt makes a new one.",
            backup=bak.name,
        )


def _difference(recorded: StoredFile, found: StoredFile | None) -> str:
    """How a file differs from what was recorded when it was made."""
    if found is None:
        return f"{recorded.key} is not there"
    if found.size_bytes != recorded.size_bytes:
        return f"{recorded.key} has {found.size_bytes:,} bytes; recorded were {recorded.size_bytes:,}"
    return f"{recorded.key} is another object than the one that was recorded ({found.etag}, not {recorded.etag})"
