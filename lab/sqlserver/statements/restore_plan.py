"""What SQL Server checks before it restores: does the backup fit the statement, the database and its files?"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from lab.sqlserver.backup_media.backup_header import DESCRIPTIONS, DIFFERENTIAL, FULL, LOG
from lab.sqlserver.engine.databases import Database, Databases
from lab.sqlserver.engine.instance import DATABASE_VERSION, PRODUCT_VERSION, Instance
from lab.sqlserver.engine.volumes import volume_of
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.tsql.statements import Restore


def check_checksums(header: dict[str, Any], asked: bool) -> None:
    """WITH CHECKSUM needs a backup that has checksums: 3187."""
    if asked and not header["HasBackupChecksums"]:
        raise SqlServerError(3187)


def check_version(header: dict[str, Any]) -> None:
    """A database never goes back to an older version of the server: 3169."""
    if header.get("DatabaseVersion", DATABASE_VERSION) > DATABASE_VERSION:
        parts = ("SoftwareVersionMajor", "SoftwareVersionMinor", "SoftwareVersionBuild")
        raise SqlServerError(3169, ".".join(f"{header[part]:02}" for part in parts), PRODUCT_VERSION)


def check_room(header: dict[str, Any], restoring: Database) -> None:
    """The files must have room on their volumes, beside what already lies in their places: 3257."""
    needed: dict[str, int] = {}
    free: dict[str, int] = {}
    for file, path in zip(header["Files"], (Path(restoring.data_file), Path(restoring.log_file)), strict=True):
        volume = volume_of(path)
        if volume:
            there = path.stat().st_size if path.is_file() else 0
            needed[volume[0]] = needed.get(volume[0], 0) + max(0, file["Size"] - there)
            free[volume[0]] = volume[2]
    for mount, size in needed.items():
        if size > free[mount]:
            raise SqlServerError(3257, mount, size, free[mount]).then(3119)


def check_certificate(instance: Instance, header: dict[str, Any]) -> None:
    """An encrypted database is of no use without its certificate: 33111."""
    for file in header["Files"]:
        instance.certificates.check_has(file.get("TDEThumbprint") or "")


def check_kind(header: dict[str, Any], statement: Restore) -> None:
    """RESTORE LOG needs a log backup, RESTORE DATABASE one of data: 3135."""
    if (header["BackupType"] == LOG) != (statement.kind == "LOG"):
        made_by = f"BACKUP {DESCRIPTIONS[header['BackupType']].upper()}"
        raise SqlServerError(3135, statement.devices[0].name, made_by)


def check_stop_at(header: dict[str, Any], database: Database, stop_at: str | None) -> None:
    """STOPAT: 3145 in the simple model, 4338 or 4335 where the moment is over already."""
    if stop_at is None:
        return
    if header["RecoveryModel"] == "SIMPLE":
        raise SqlServerError(3145)
    if header["BackupType"] != LOG and stop_at < header["BackupStartDate"]:
        raise SqlServerError(4338)
    if header["BackupType"] == LOG and database.redo_time and stop_at < database.redo_time:
        raise SqlServerError(4335)


def check_roll_forward(header: dict[str, Any], database: Database) -> None:
    """A differential or log backup needs a database restored to just the right state: 3117, 4319, 3136, 43xx."""
    if database.state != "RESTORING":
        raise SqlServerError(3117)
    if not database.redo_lsn:
        raise SqlServerError(4319, database.data_name)
    if header["BackupType"] == DIFFERENTIAL:
        if header["DifferentialBaseGUID"] != database.redo_base or header["LastLSN"] <= database.redo_lsn:
            raise SqlServerError(3136)
    elif not _on_the_way(header, database):
        raise SqlServerError(4330)
    elif header["FirstLSN"] > database.redo_lsn:
        raise SqlServerError(4305, header["FirstLSN"], database.redo_lsn)
    elif header["LastLSN"] <= database.redo_lsn:
        raise SqlServerError(4326, header["LastLSN"], database.redo_lsn)


def _on_the_way(header: dict[str, Any], database: Database) -> bool:
    """Whether a log backup goes on from where the database is: on its fork, or from it to the next one."""
    if header["RecoveryForkID"] == database.recovery_fork:
        return True
    leaves_this_fork = header["FirstRecoveryForkID"] == database.recovery_fork
    return leaves_this_fork and bool(database.redo_lsn <= header["ForkPointLSN"])


def check_overwriting(existing: Database, header: dict[str, Any], statement: Restore) -> None:
    """Without REPLACE, nothing may be lost: not another database (3154), not what happened since the backup (3159).

    A database that is RESTORING already has no tail of the log to lose.
    """
    if statement.replace:
        return
    if existing.family_guid != header["FamilyGUID"]:
        raise SqlServerError(3154, existing.name)
    if existing.state == "RESTORING":
        return
    if existing.recovery_model != "SIMPLE" and not statement.stop_at:
        raise SqlServerError(3159, existing.name)


def planned(statement: Restore, header: dict[str, Any], database: Database, owner_sid: str) -> Database:
    """The database as it is while a full backup is being restored to it.

    The backup is its differential base from now on, and its log is backed up on from there. (A COPY_ONLY backup is no
    base, and goes on with a log only where one was kept when it was made.) Service Broker and all trust are off then,
    and whoever restores it owns it.
    """
    is_base = not header["IsCopyOnly"]
    keeps_log = header["RecoveryModel"] != "SIMPLE" and (is_base or header["DatabaseBackupLSN"])
    data, log = header["Files"]
    files = _places(statement, header)
    return dataclasses.replace(
        database,
        state="RESTORING",
        data_file=str(files[data["LogicalName"].lower()]),
        log_file=str(files[log["LogicalName"].lower()]),
        data_name=data["LogicalName"],
        log_name=log["LogicalName"],
        family_guid=header["FamilyGUID"],
        recovery_fork=header["RecoveryForkID"],
        recovery_model=header["RecoveryModel"],
        user_access="SINGLE_USER" if header["IsSingleUser"] else "MULTI_USER",
        base_lsn=header["CheckpointLSN"] if is_base else 0,
        base_guid=header["BackupSetGUID"] if is_base else None,
        chain_lsn=header["CheckpointLSN"] if keeps_log else 0,
        log_lsn=header["LastLSN"] if keeps_log else 0,
        log_fork=None,
        fork_lsn=0,
        redo_lsn=0,
        redo_time=None,
        redo_base=header["BackupSetGUID"],
        owner_sid=owner_sid,
        broker_enabled=False,
        trustworthy=False,
        db_chaining=False,
    )


def check_places(databases: Databases, statement: Restore, restoring: Database) -> None:
    """Raises SqlServerError 1834 for another database's file, 5133 for a missing folder, 3142 for a stranger's file."""
    for logical, physical in ((restoring.data_name, restoring.data_file), (restoring.log_name, restoring.log_file)):
        path = Path(physical)
        owner = databases.owner_of(path)
        if owner and owner.name != restoring.name:
            raise SqlServerError(1834, path, owner.name).then(3156, logical, path).then(3119)
        if not path.parent.is_dir():
            raise SqlServerError(5133, path).then(3156, logical, path).then(3119)
        if path.exists() and not owner and not statement.replace:
            raise SqlServerError(3142, path)


def reaches(header: dict[str, Any], stop_at: str | None) -> bool:
    """Whether the backup reaches the moment of STOPAT, so that the database can be recovered at it."""
    return stop_at is None or stop_at <= header["BackupStartDate"]


def is_full(header: dict[str, Any]) -> bool:
    return bool(header["BackupType"] == FULL)


def _places(statement: Restore, header: dict[str, Any]) -> dict[str, Path]:
    """Where each file goes, by its logical name in small letters. A MOVE of an unknown file raises 3234."""
    places = {file["LogicalName"].lower(): Path(file["PhysicalName"]) for file in header["Files"]}
    for logical, physical in statement.moves:
        if logical.lower() not in places:
            raise SqlServerError(3234, logical, statement.database, state=2)
        places[logical.lower()] = Path(physical)
    return places
