"""The .bak of a restore, once more before anything is overwritten: an approval may have taken days."""

from __future__ import annotations

from include.rules.backup.headers import header_differences
from include.rules.errors import DamagedBackupError, PartError, UnavailableError
from include.rules.points.backup_files import BackupFilePart
from include.rules.points.manifest import Manifest
from include.rules.restore.request import DatabaseSource
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.read_backup import read_backup
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.vault.leased import LeasedRestore

UNTOUCHED = "Nothing was overwritten."


async def check_backup_file(restore: LeasedRestore, point: Manifest) -> str:
    """Make sure that the .bak is the one that the preview has read; read it to its end again where it may not be.

    Returns a sentence; empty when this restore needs no .bak.

    Raises:
        PartError: when a stripe is gone; DamagedBackupError when it is not whole, or another backup.
        UnavailableError: when the server cannot read it for another reason.
    """
    plan, bak = restore.record.plan, point.parts.bak
    if plan.database is None or plan.database_from is not DatabaseSource.BACKUP_FILE or bak is None:
        return ""
    stored = await restore.vault.backup_files(bak.keys)
    gone = [key for key, file in zip(bak.keys, stored, strict=True) if file is None]
    if gone:
        raise PartError(
            f"The .bak of recovery point {point.id} has gone from the vault since the preview.",
            why=UNTOUCHED,
            todo="Start a new restore: its preview says what can stand in for it.",
            file=gone[0],
        )
    if plan.etags and plan.etags == tuple(file.etag for file in stored if file):
        return "The .bak is the one that the preview has read."
    await _read_again(restore, point, bak)
    return "The .bak has been read again to its end."


async def _read_again(restore: LeasedRestore, point: Manifest, bak: BackupFilePart) -> None:
    record, vault = restore.record, restore.vault
    server = SqlServer(record.plan.target.database.connection, vault.settings.run_label(record.id))
    what = f"The .bak of recovery point {point.id} has changed since the preview"
    try:
        headers = await read_backup(server, vault.backup_file_urls(bak.keys), vault.settings)
    except SqlServerError as error:
        todo = "Start a new restore: its preview says what can stand in for it."
        if error.is_damage:
            raise DamagedBackupError(f"{what} and is damaged: {error}", why=UNTOUCHED, todo=todo) from error
        todo = f"{error.advice}, then clear the task `open` of this run."
        raise UnavailableError(f"{what} and cannot be read: {error}", why=UNTOUCHED, todo=todo) from error
    differences = header_differences(headers, point, bak)
    if differences:
        raise DamagedBackupError(
            f"{what}: it is another backup ({', '.join(differences)}).",
            why=UNTOUCHED,
            todo="Start a new restore: its preview says what can stand in for it.",
        )
