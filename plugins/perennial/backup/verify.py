"""Verification: the barrier that needs all parts complete, and then reads the backup back.

Level 1, complete: both snapshots completed, every file of the .bak present with the size, ETag and checksums that were
recorded.
Level 2, readable: RESTORE VERIFYONLY WITH CHECKSUM passes and the header shows this database, this backup, these LSNs;
and each snapshot's volume was seen, before, to be the one that the tenant works on.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from include.rules.backup.headers import header_differences
from include.rules.errors import DamagedBackupError, PartError, UnavailableError
from include.rules.points.backup_files import BackupFilePart, StoredFile
from include.rules.points.levels import not_looked_at, provable_level
from include.rules.points.manifest import Manifest, Verification
from include.rules.points.parts import PartName, SnapshotPart, SnapshotRole
from perennial.backup.attempt import ended
from perennial.backup.leaving import drop_snapshot
from perennial.backup.snapshot_poller import poller
from perennial.backup.step import BackupStepTrigger
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.read_backup import look_twice, read_backup
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.vault.leased import LeasedPoint
from perennial.steps.trigger import StepResult

LONG_SECONDS = 10.0
"""A backup whose reading takes longer is said to be complete meanwhile: that is one more write to the vault."""


class VerifyRecoveryPointTrigger(BackupStepTrigger):
    """Proves the recovery point up to level 2 and makes it restorable."""

    async def act(self, point: LeasedPoint) -> StepResult:
        manifest = point.manifest
        missing_parts = manifest.missing()
        if missing_parts:
            raise PartError(
                f"Recovery point {manifest.id} of tenant {manifest.tenant} has no {', '.join(missing_parts)}.",
                todo="Clear the task `open` of this run.",
            )
        snapshots = [(role, part) for role in SnapshotRole if (part := manifest.snapshot(role))]
        await asyncio.gather(*(self._snapshot_completed(point, role, part) for role, part in snapshots))
        checks, level = ["snapshots completed"], 1
        bak = manifest.parts.bak
        if bak:
            await self._read_back(point, bak)
            checks += ["RESTORE VERIFYONLY WITH CHECKSUM", "RESTORE HEADERONLY"]
            level = provable_level(manifest)
        now = datetime.now(UTC)
        proof = Verification(level=level, at=now, checks=tuple(checks), seconds_apart=manifest.parts.seconds_apart)
        await point.change(lambda m: ended(m.complete().verified(proof), now))
        unseen = {str(name): reason for name, reason in not_looked_at(manifest).items()}
        for name, reason in unseen.items():
            self.log.warning("The volume of the %s was not looked at: %s.", name, reason)
        return {"recovery_point": manifest.id, "level": proof.level, "not_looked_at": unseen or None}

    async def stop(self, manifest: Manifest) -> None:
        if manifest.parts.bak:  # reading it may take as long as the backup did
            server = SqlServer(manifest.source.database.connection)
            await server.kill_sessions_of(self.settings.run_label(f"verify {manifest.parts.bak.name}"))

    async def _snapshot_completed(self, point: LeasedPoint, role: SnapshotRole, part: SnapshotPart) -> None:
        snapshot = await poller(point.vault.settings).wait_until_settled(part.snapshot_id)
        if snapshot and snapshot.state == "completed":
            return
        state = snapshot.described_state if snapshot else "gone"
        await drop_snapshot(point, role, f"it is {state}")
        raise PartError(
            f"The {role.value} of tenant {point.manifest.tenant} is {state}.",
            why=f"Recovery point {point.manifest.id} is not whole.",
            todo="Clear the task `open` of this run: a new attempt takes a new snapshot.",
            snapshot=part.snapshot_id,
        )

    async def _read_back(self, point: LeasedPoint, bak: BackupFilePart) -> None:
        """Let SQL Server read the whole .bak; a point for which that takes long, or comes to nothing, is `pending`.

        Raises:
            DamagedBackupError: when it cannot be trusted: no later attempt adopts it then.
            UnavailableError: when it could not be read.
        """
        reading = asyncio.ensure_future(self._check_readable(point, bak))
        try:
            done, _ = await asyncio.wait({reading}, timeout=LONG_SECONDS)
            if not done:
                await point.change(lambda m: m.complete())
            await reading
        except DamagedBackupError:
            await point.change(lambda m: m.without_part(PartName.BAK))
            raise
        except UnavailableError:
            await point.change(lambda m: m.complete())
            raise
        finally:
            reading.cancel()

    async def _check_files(self, point: LeasedPoint, bak: BackupFilePart) -> None:
        """Raises DamagedBackupError when a file is missing, or another one than was recorded.

        Asked only where SQL Server does not accept the backup, for a better reason: what it has read whole, and knows
        by header, is there.
        """
        stored = await point.vault.backup_files(bak.keys)
        differences = [_difference(*pair) for pair in zip(bak.files, stored, strict=True) if pair[0] != pair[1]]
        if differences:
            raise _damage_error(point.manifest, bak, "; ".join(differences))

    async def _check_readable(self, point: LeasedPoint, bak: BackupFilePart) -> None:
        """Raises DamagedBackupError when SQL Server finds the backup damaged, or to be another one."""
        manifest, settings = point.manifest, point.vault.settings
        server = SqlServer(manifest.source.database.connection, settings.run_label(f"verify {bak.name}"))
        try:  # reading has no effect that a lease would have to fence
            headers = await read_backup(server, point.vault.backup_file_urls(bak.keys), settings)
        except SqlServerError as error:
            with suppress(UnavailableError):
                await look_twice(partial(self._check_files, point, bak), settings)
            if error.is_damage:
                raise _damage_error(manifest, bak, str(error)) from error
            raise UnavailableError(
                f"The .bak of tenant {manifest.tenant} could not be verified: {error}",
                why=f"Recovery point {manifest.id} is complete but not verified.",
                todo=f"{error.advice}, then clear the task `open` of this run: nothing is made anew.",
                server=server.conn_id,
            ) from error
        differences = header_differences(headers, manifest, bak)
        if differences:
            raise _damage_error(manifest, bak, f"its header is not that of this backup: {', '.join(differences)}")


def _damage_error(manifest: Manifest, bak: BackupFilePart, reason: str) -> DamagedBackupError:
    return DamagedBackupError(
        f"The .bak of tenant {manifest.tenant} cannot be trusted: {reason}",
        why=f"Recovery point {manifest.id} cannot be restored from it.",
        todo="Clear the task `open` of this run: a new attempt makes a new one.",
        backup=bak.name,
    )


def _difference(recorded: StoredFile, stored: StoredFile | None) -> str:
    """How a file differs from what was recorded when it was made."""
    if stored is None:
        return f"{recorded.key} is not there"
    if stored.size_bytes != recorded.size_bytes:
        return f"{recorded.key} has {stored.size_bytes:,} bytes; recorded were {recorded.size_bytes:,}"
    return f"{recorded.key} is another object than the one that was recorded ({stored.etag}, not {recorded.etag})"
