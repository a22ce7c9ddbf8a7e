"""A database from the snapshot of its volume: its files copied beside the standing ones, attached, checked, swapped in.

The files are crash-consistent, as after a power cut: attaching them runs the recovery that a restart would.
"""

from __future__ import annotations

from include.backups.backup_files import FileType
from include.backups.database_places import database_places
from include.backups.errors import PartError, UnavailableError
from include.backups.recovery_points import Manifest, SnapshotRole
from include.backups.restore_plans import path_on_volume
from include.backups.restore_records import RestoreRecord
from perennial.hooks import attaching, databases
from perennial.hooks.leased import LeasedRestore
from perennial.hooks.sql_server import Session, SqlServer, SqlServerError
from perennial.triggers.restore_files import copy_on_host


async def copy_files(restore: LeasedRestore, point: Manifest, server: SqlServer, *, limit: float) -> int:
    """Copy the database's files from the attached volume to new names beside the server's own; returns the bytes.

    Files that a database is made of already were copied by an earlier attempt and are left alone.
    """
    record = restore.record
    try:
        places, attached = await server.talk(
            lambda session: (_places(session, record, point), _is_attached(session, record, point)),
            pauses=restore.vault.settings.pauses,
        )
    except SqlServerError as error:
        raise UnavailableError(
            f"The database server of tenant {record.tenant} does not answer: {error}",
            why="The database was not touched.",
            todo="Bring the server up, then clear the task `open` of this run.",
            server=server.conn_id,
        ) from error
    if attached:
        return 0
    files = [
        f"{path_on_volume(file, point.source.database)}\t{places[file.logical_name]}" for file in point.database_files
    ]
    answer = await copy_on_host(
        restore,
        SnapshotRole.DATABASE,
        "copy_database_files",
        {"FILES": "\n".join(files)},
        begins=None,
        limit=limit,
    )
    return int(answer["bytes"])


def attach(session: Session, record: RestoreRecord, point: Manifest) -> None:
    """Attach the copied files in the place of the tenant's database, or as a new one."""
    name = _name(record)
    places = _places(session, record, point)
    files = [places[file.logical_name] for file in point.database_files]
    if record.plan.replaces_database:
        attaching.attach_in_place_of(session, name, files, _scratch(record))
    else:
        attaching.attach_as_new(session, name, files)


def _is_attached(session: Session, record: RestoreRecord, point: Manifest) -> bool:
    files = _places(session, record, point).values()
    return any(databases.survey(session, name).is_made_of(files) for name in (_name(record), _scratch(record)))


def _places(session: Session, record: RestoreRecord, point: Manifest) -> dict[str, str]:
    """Path of each copied file by its logical name: in the server's own folders, named after this very restore."""
    facts = databases.survey(session, _name(record))
    rows = [
        {
            "LogicalName": file.logical_name,
            "PhysicalName": file.physical_path,
            "Type": "L" if file.type is FileType.LOG else "D",
        }
        for file in point.database_files
    ]
    return database_places(_scratch(record), rows, {}, (), facts.data_folder, facts.log_folder)


def _name(record: RestoreRecord) -> str:
    if record.plan.database is None:
        raise PartError("This restore is about no database.", todo="Start a new restore.")
    return record.plan.database


def _scratch(record: RestoreRecord) -> str:
    """A name that no other restore gives a database: of at most 128 characters."""
    return f"{_name(record)[:100]}_{record.id.rsplit('-', 1)[-1]}"
