"""BACKUP DATABASE: a consistent copy of the database, streamed to its device, then written down in msdb."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw

from lab.sqlserver.backup_file import BLOCK_SIZE, BackupWriter, Target
from lab.sqlserver.context import Context
from lab.sqlserver.databases import LOG_PAGES, LSN_STEP, PAGE_SIZE, Database, open_file
from lab.sqlserver.dates import now
from lab.sqlserver.devices import open_target
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.instance import PRODUCT_VERSION, SERVER_NAME
from lab.sqlserver.progress import Progress
from lab.sqlserver.tsql.statements import BackupDatabase

_COPY_PAGES = 1024  # pages copied between two looks at whether the client still wants the backup
_WHAT = "BACKUP DATABASE"


def run(context: Context, statement: BackupDatabase) -> None:
    """Carry out a backup. Every failure leaves no object, no file and no row in msdb behind."""
    with context.terminating(_WHAT):
        _check(context, statement)
        database = context.instance.databases.readable(statement.database)
        context.instance.check_single_user(context.session, database)
        with context.instance.busy_with(database, error=3023):
            _back_up(context, database, statement)


def _check(context: Context, statement: BackupDatabase) -> None:
    if context.session.transactions:
        raise SqlServerError(3021, state=0)
    if statement.database.lower() == "tempdb":
        raise SqlServerError(3147, "tempdb")


def _back_up(context: Context, database: Database, statement: BackupDatabase) -> None:
    target = open_target(context.instance, statement.device, statement.overwrite, statement.transfer_size)
    with _aborted_on_failure(target), _consistent_copy(context, database) as copy:
        header = _header(context, database, statement, copy)
        size = copy.stat().st_size
        progress = Progress(context, size, statement.stats, context.instance.control.backup_seconds)
        writer = BackupWriter(target, header)
        with copy.open("rb") as file:
            while block := file.read(BLOCK_SIZE):
                writer.block(block)
                progress.advance(len(block))
        pages = size // PAGE_SIZE
        context.reply.info(4035, pages, database.name, database.data_name)
        # A real server ends the data's part with a DONE of its own (tiny_tds#150): who takes it for the end cancels.
        context.reply.more()
        progress.finish()
        context.reply.check()
        context.reply.info(4035, LOG_PAGES, database.name, database.log_name)
        trailer = {"BackupFinishDate": now(), "CompressedBackupSize": writer.written}
        writer.finish(trailer)
        target.complete()
    context.instance.history.record_backup(header | trailer, statement.device.kind, statement.device.name)
    if not statement.copy_only:
        context.instance.databases.change(database.name, base_lsn=header["CheckpointLSN"])
    context.reply.info(3014, _WHAT, pages + LOG_PAGES, progress.elapsed, size / 1_048_576 / progress.elapsed)
    context.reply.done()


@contextmanager
def _aborted_on_failure(target: Target) -> Iterator[None]:
    try:
        yield
    except BaseException:
        target.abort()
        raise


@contextmanager
def _consistent_copy(context: Context, database: Database) -> Iterator[Path]:
    """A file with the database as it is at one moment, whoever writes meanwhile; removed at the end."""
    path = context.instance.temp_folder / f"{uuid.uuid4()}.copy"
    source = open_file(database)
    copy = apsw.Connection(str(path))
    try:
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # from here on, what `source` sees stands still
        with copy.backup("main", source, "main") as steps:
            while not steps.done:
                steps.step(_COPY_PAGES)
                context.reply.check()
        copy.close()
        source.close()
        yield path
    finally:
        copy.close(True)
        source.close(True)
        path.unlink(missing_ok=True)


def _header(context: Context, database: Database, statement: BackupDatabase, copy: Path) -> dict[str, Any]:
    """What the file says of itself; names as in RESTORE HEADERONLY, `Files` as in FILELISTONLY."""
    lsn = context.instance.databases.advance_log(database.name)
    major, minor, build, _ = PRODUCT_VERSION.split(".")
    log_size = _size(Path(database.data_file + "-wal"))
    return {
        "BackupName": statement.name,
        "BackupDescription": statement.description,
        "BackupType": 1,
        "Compressed": int(statement.compression),
        "DeviceType": 2 if statement.device.kind == "DISK" else 9,
        "UserName": context.session.login,
        "ServerName": SERVER_NAME,
        "DatabaseName": database.name,
        "DatabaseCreationDate": database.created,
        "BackupSize": copy.stat().st_size,
        "FirstLSN": lsn,
        "LastLSN": lsn + LSN_STEP // 2,
        "CheckpointLSN": lsn,
        "DatabaseBackupLSN": database.base_lsn,
        "BackupStartDate": now(),
        "SoftwareVersionMajor": int(major),
        "SoftwareVersionMinor": int(minor),
        "SoftwareVersionBuild": int(build),
        "MachineName": SERVER_NAME,
        "FamilyGUID": database.family_guid,
        "HasBackupChecksums": int(statement.checksum),
        "IsSingleUser": int(database.user_access == "SINGLE_USER"),
        "IsCopyOnly": int(statement.copy_only),
        "RecoveryModel": database.recovery_model,
        "BackupSetGUID": str(uuid.uuid4()).upper(),
        "Files": [
            {
                "LogicalName": database.data_name,
                "PhysicalName": database.data_file,
                "Type": "D",
                "Size": copy.stat().st_size,
            },
            {"LogicalName": database.log_name, "PhysicalName": database.log_file, "Type": "L", "Size": log_size},
        ],
    }


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
