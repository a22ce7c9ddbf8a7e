"""Verification: the barrier that needs all parts complete, and then reads the backup back.

Level 1, complete: both snapshots completed, the file present with the size that was recorded.
Level 2, readable: RESTORE VERIFYONLY WITH CHECKSUM passes and the header shows this database, this backup, these LSNs.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal

from include.backups.errors import DamagedBackupError, PartError, PerennialError, UnavailableError
from include.backups.recovery_points import BackupFilePart, Manifest, SnapshotRole, Verification
from include.backups.requests import BackupRequest
from perennial.hooks import tsql
from perennial.hooks.leased import LeasedPoint
from perennial.hooks.sql_server import Row, SqlServer, SqlServerError
from perennial.hooks.vault import Vault
from perennial.settings import Settings
from perennial.triggers.recovery_point import RecoveryPointTrigger
from perennial.triggers.snapshot_poller import poller
from perennial.triggers.step import Said


class VerifyRecoveryPointTrigger(RecoveryPointTrigger):
    """Proves the recovery point up to level 2 and makes it restorable."""

    async def act(self, point: LeasedPoint) -> Said:
        manifest = point.manifest
        missing = manifest.parts.missing()
        bak = manifest.parts.bak
        if missing or bak is None:
            raise PartError(
                f"Recovery point {manifest.id} of tenant {manifest.tenant} has no {', '.join(missing)}.",
                todo="Clear the task `open` of this run.",
            )
        await asyncio.gather(*(self._snapshot_completed(point, role) for role in SnapshotRole))
        await self._file_present(point, bak)
        await point.change(lambda m: m.complete())
        await self._file_readable(point, bak)
        proof = Verification(
            level=2,
            at=datetime.now(UTC),
            checks=("snapshots completed", "file present", "RESTORE VERIFYONLY WITH CHECKSUM", "RESTORE HEADERONLY"),
        )
        await point.change(lambda m: m.verified(proof))
        return {"recovery_point": manifest.id, "level": proof.level}

    async def on_kill(self) -> None:
        """The run was ended by hand: end the reading too, which may take as long as the backup did."""
        with suppress(PerennialError, SqlServerError):
            settings, request = Settings.from_environment(), BackupRequest.parse(self.request)
            version = await Vault(settings).points.get(request.tenant, request.recovery_point_id)
            if version and version.value.parts.bak:
                server = SqlServer(version.value.source.database.connection)
                await server.kill_sessions_of(settings.mark(f"verify {version.value.parts.bak.name}"))

    async def _snapshot_completed(self, point: LeasedPoint, role: SnapshotRole) -> None:
        settings, part = point.vault.settings, getattr(point.manifest.parts, role.value)
        snapshot = await poller(settings).settled(part.snapshot_id)
        if snapshot and snapshot.state == "completed":
            return
        await point.change(lambda manifest: manifest.without_part(role.value))
        raise PartError(
            f"The {role.value} of tenant {point.manifest.tenant} is {snapshot.state if snapshot else 'gone'}.",
            why=f"Recovery point {point.manifest.id} is not whole.",
            todo="Clear the task `open` of this run: a new attempt takes a new snapshot.",
            snapshot=part.snapshot_id,
        )

    async def _file_present(self, point: LeasedPoint, bak: BackupFilePart) -> None:
        stored = await point.vault.backup_file(bak.key)
        if stored is None or stored.size_bytes != bak.size_bytes:
            found = f"has {stored.size_bytes:,} bytes" if stored else "is not there"
            raise await self._damaged(point, bak, f"it {found}; recorded were {bak.size_bytes:,} bytes")

    async def _file_readable(self, point: LeasedPoint, bak: BackupFilePart) -> None:
        database = point.manifest.source.database
        server = SqlServer(database.connection, point.vault.settings.mark(f"verify {bak.name}"))
        url = point.vault.backup_file_url(bak.key)
        pauses = point.vault.settings.pauses
        await point.lease.check()
        try:
            await server.run(tsql.verify([url]), pauses=pauses)
            headers = await server.run(tsql.header([url]), pauses=pauses)
        except SqlServerError as error:
            if error.is_damage:
                raise await self._damaged(point, bak, str(error)) from error
            raise UnavailableError(
                f"The .bak of tenant {point.manifest.tenant} could not be verified: {error}",
                why=f"Recovery point {point.manifest.id} is complete but not verified.",
                todo="Check the server, then clear the task `open` of this run: nothing is made anew.",
                server=database.connection,
            ) from error
        wrong = _mismatches(headers, point.manifest, bak)
        if wrong:
            raise await self._damaged(point, bak, f"its header is not that of this backup: {', '.join(wrong)}")

    async def _damaged(self, point: LeasedPoint, bak: BackupFilePart, reason: str) -> DamagedBackupError:
        """Forget the file, so that no later attempt adopts it, and say what is wrong with it."""
        await point.change(lambda manifest: manifest.without_part("bak"))
        return DamagedBackupError(
            f"The .bak of tenant {point.manifest.tenant} cannot be trusted: {reason}",
            why=f"Recovery point {point.manifest.id} cannot be restored from it.",
            todo="Clear the task `open` of this run: a new attempt makes a new file.",
            key=bak.key,
        )


def _mismatches(headers: list[Row], manifest: Manifest, bak: BackupFilePart) -> list[str]:
    """What the file says of itself that differs from what was recorded when it was made."""
    if len(headers) != 1:
        return [f"{len(headers)} backup sets instead of one"]
    expected: dict[str, object] = {
        "DatabaseName": manifest.source.database.name,
        "BackupName": bak.name,
        "FirstLSN": Decimal(bak.first_lsn),
        "LastLSN": Decimal(bak.last_lsn),
        "IsDamaged": False,
    }
    said = {**headers[0], "IsDamaged": bool(headers[0]["IsDamaged"])}
    return [f"{key} is {said[key]}, not {value}" for key, value in expected.items() if said[key] != value]
