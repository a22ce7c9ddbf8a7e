"""RESTORE DATABASE: the checks that SQL Server makes, then the bytes of the backup in place of the database."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from lab.sqlserver.backup_file import BackupReader
from lab.sqlserver.context import Context
from lab.sqlserver.databases import LOG_PAGES, LSN_STEP, PAGE_SIZE, Database, open_file, remove_files
from lab.sqlserver.devices import open_source
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.progress import Progress
from lab.sqlserver.tsql.statements import RestoreDatabase

_WHAT = "RESTORE DATABASE"


def run(context: Context, statement: RestoreDatabase) -> None:
    """Carry out a restore with recovery.

    What is refused leaves everything as it was. Once bytes flow the database is RESTORING, and whatever goes wrong
    then, a crash included, leaves it so: another RESTORE ... WITH REPLACE heals it.
    """
    with context.terminating(_WHAT):
        if context.session.transactions:
            raise SqlServerError(3021, state=0)
        with closing(open_source(context.instance, statement.device)) as source:
            reader = BackupReader(source)
            check_checksums(reader.header, statement.checksum)
            with _claimed(context, statement, reader.header) as restoring:
                size = reader.header["BackupSize"]
                progress = Progress(context, size, statement.stats, context.instance.control.restore_seconds)
                _write(Path(restoring.data_file), reader, progress)
                progress.finish()
                _recover(context, restoring, reader.header)
    pages = reader.header["BackupSize"] // PAGE_SIZE
    context.reply.info(4035, pages, restoring.name, restoring.data_name)
    context.reply.info(4035, LOG_PAGES, restoring.name, restoring.log_name)
    megabytes = reader.header["BackupSize"] / 1_048_576
    context.reply.info(3014, _WHAT, pages + LOG_PAGES, progress.elapsed, megabytes / progress.elapsed)
    context.reply.done()


def check_checksums(header: dict[str, Any], asked: bool) -> None:
    """WITH CHECKSUM needs a backup that has checksums: 3187."""
    if asked and not header["HasBackupChecksums"]:
        raise SqlServerError(3187)


@contextmanager
def _claimed(context: Context, statement: RestoreDatabase, header: dict[str, Any]) -> Iterator[Database]:
    """Keep the database to this restore: everything checked, its old files gone, its state RESTORING."""
    databases = context.instance.databases
    existing = databases.find(statement.database)
    if existing and existing.is_system:
        raise SqlServerError(3147, existing.name)
    database = existing or databases.blank(statement.database)
    with context.instance.busy_with(database, error=3101):
        with databases.lock:  # nobody can come in between the checks and the new state
            context.instance.check_exclusive(context.session, database)
            if existing:
                _check_overwriting(existing, header, statement.replace)
            restoring = _planned(statement, header, database)
            _check_places(context, statement, restoring)
            if existing:
                remove_files(Path(existing.data_file))
            databases.put(restoring)
        yield restoring


def _planned(statement: RestoreDatabase, header: dict[str, Any], database: Database) -> Database:
    """The database as it is while it is being restored."""
    data, log = header["Files"]
    files = _places(statement, header)
    return dataclasses.replace(
        database,
        state="RESTORING",
        data_file=str(files[data["LogicalName"].lower()]),
        log_file=str(files[log["LogicalName"].lower()]),
        data_name=data["LogicalName"],
        log_name=log["LogicalName"],
    )


def _check_overwriting(existing: Database, header: dict[str, Any], replace: bool) -> None:
    """Without REPLACE, nothing may be lost: not another database, not what happened since the backup."""
    if replace or existing.state == "RESTORING":
        return
    if existing.family_guid != header["FamilyGUID"]:
        raise SqlServerError(3154, existing.name)
    if existing.recovery_model != "SIMPLE":
        raise SqlServerError(3159, existing.name)


def _places(statement: RestoreDatabase, header: dict[str, Any]) -> dict[str, Path]:
    """Where each file goes, by its logical name in small letters. A MOVE of an unknown file raises 3234."""
    places = {file["LogicalName"].lower(): Path(file["PhysicalName"]) for file in header["Files"]}
    for logical, physical in statement.moves:
        if logical.lower() not in places:
            raise SqlServerError(3234, logical, statement.database, state=2)
        places[logical.lower()] = Path(physical)
    return places


def _check_places(context: Context, statement: RestoreDatabase, restoring: Database) -> None:
    """Raises SqlServerError 1834 for another database's file, 5133 for a missing folder, 3142 for a stranger's file."""
    for logical, physical in ((restoring.data_name, restoring.data_file), (restoring.log_name, restoring.log_file)):
        path = Path(physical)
        owner = context.instance.databases.owner_of(path)
        if owner and owner.name != restoring.name:
            raise SqlServerError(1834, path, owner.name).then(3156, logical, path).then(3119)
        if not path.parent.is_dir():
            raise SqlServerError(5133, path).then(3156, logical, path).then(3119)
        if path.exists() and not owner and not statement.replace:
            raise SqlServerError(3142, path)


def _write(path: Path, reader: BackupReader, progress: Progress) -> None:
    with path.open("wb") as file:
        for block in reader.blocks():
            file.write(block)
            progress.advance(len(block))


def _recover(context: Context, restoring: Database, header: dict[str, Any]) -> None:
    """Bring the restored database online, in the state in which it was backed up."""
    connection = open_file(restoring)
    connection.pragma("journal_mode", "WAL")
    connection.close()
    context.instance.databases.change(
        restoring.name,
        state="ONLINE",
        user_access="SINGLE_USER" if header["IsSingleUser"] else "MULTI_USER",
        recovery_model=header["RecoveryModel"],
        family_guid=header["FamilyGUID"],
        lsn=max(restoring.lsn, header["LastLSN"] + LSN_STEP),
        base_lsn=0,
    )
