"""The backup history in msdb: a row appears for a backup that succeeded, and for no other.

https://learn.microsoft.com/sql/relational-databases/system-tables/backupset-transact-sql and its neighbours
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw

from lab.sqlserver.engine.databases import new_guid
from lab.sqlserver.translation.dates import now
from lab.sqlserver.translation.declarations import sqlite_columns
from lab.sqlserver.tsql.statements import Device, Restore

_KEY = "{} INTEGER PRIMARY KEY AUTOINCREMENT, "
_TABLES = {
    "backupmediaset": _KEY.format("media_set_id")
    + sqlite_columns(
        "media_uuid UNIQUEIDENTIFIER; media_family_count TINYINT; software_name NVARCHAR(128); is_compressed BIT",
    ),
    "backupmediafamily": sqlite_columns(
        "media_set_id INT; family_sequence_number TINYINT; media_family_id UNIQUEIDENTIFIER; "
        "logical_device_name NVARCHAR(128); physical_device_name NVARCHAR(260); device_type TINYINT; mirror TINYINT",
    ),
    "backupset": _KEY.format("backup_set_id")
    + sqlite_columns(
        "backup_set_uuid UNIQUEIDENTIFIER; media_set_id INT; name NVARCHAR(128); description NVARCHAR(255); "
        "user_name NVARCHAR(128); server_name NVARCHAR(128); database_name NVARCHAR(128); type CHAR(1); "
        "first_lsn NUMERIC(25,0); last_lsn NUMERIC(25,0); checkpoint_lsn NUMERIC(25,0); "
        "database_backup_lsn NUMERIC(25,0); backup_start_date DATETIME; backup_finish_date DATETIME; "
        "database_creation_date DATETIME; time_zone SMALLINT; backup_size NUMERIC(20,0); "
        "compressed_backup_size NUMERIC(20,0); recovery_model NVARCHAR(60); is_copy_only BIT; "
        "has_backup_checksums BIT; is_damaged BIT; is_snapshot BIT; begins_log_chain BIT; "
        "family_guid UNIQUEIDENTIFIER; differential_base_lsn NUMERIC(25,0); differential_base_guid UNIQUEIDENTIFIER; "
        "first_recovery_fork_guid UNIQUEIDENTIFIER; last_recovery_fork_guid UNIQUEIDENTIFIER",
    ),
    "restorehistory": _KEY.format("restore_history_id")
    + sqlite_columns(
        "restore_date DATETIME; destination_database_name NVARCHAR(128); user_name NVARCHAR(128); backup_set_id INT; "
        "restore_type CHAR(1); replace BIT; recovery BIT; restart BIT; stop_at DATETIME; device_count TINYINT",
    ),
}
_DEVICE_TYPES = {"DISK": 2, "URL": 9}

# Columns of backupset that repeat what the backup file says of itself (see backup_file), by its word for it.
_FROM_FILE = {
    "backup_set_uuid": "BackupSetGUID",
    "name": "BackupName",
    "description": "BackupDescription",
    "user_name": "UserName",
    "server_name": "ServerName",
    "database_name": "DatabaseName",
    "first_lsn": "FirstLSN",
    "last_lsn": "LastLSN",
    "checkpoint_lsn": "CheckpointLSN",
    "database_backup_lsn": "DatabaseBackupLSN",
    "backup_start_date": "BackupStartDate",
    "backup_finish_date": "BackupFinishDate",
    "database_creation_date": "DatabaseCreationDate",
    "backup_size": "BackupSize",
    "compressed_backup_size": "CompressedBackupSize",
    "recovery_model": "RecoveryModel",
    "is_copy_only": "IsCopyOnly",
    "has_backup_checksums": "HasBackupChecksums",
    "family_guid": "FamilyGUID",
    "begins_log_chain": "BeginsLogChain",
    "differential_base_lsn": "DifferentialBaseLSN",
    "differential_base_guid": "DifferentialBaseGUID",
    "first_recovery_fork_guid": "FirstRecoveryForkID",
    "last_recovery_fork_guid": "RecoveryForkID",
}
_CONSTANTS = {"time_zone": 0, "is_damaged": 0, "is_snapshot": 0}
_LETTERS = {1: "D", 2: "L", 5: "I"}  # BackupType as backupset and restorehistory write it


class BackupHistory:
    """The history tables of msdb; each record is one committed transaction."""

    def __init__(self, msdb_file: Path) -> None:
        self._file = str(msdb_file)
        with self._connect() as connection:
            for table, columns in _TABLES.items():
                connection.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")

    def record_backup(self, said: dict[str, Any], devices: Sequence[Device]) -> None:
        """Write down a backup that has succeeded. `said` is what its file says of itself, header and trailer."""
        with self._connect() as connection:
            _insert_backup(connection, said, devices)

    def record_restore(self, said: dict[str, Any], statement: Restore, user: str, stop_at: str | None) -> None:
        """Write down a restore; a backup that this server did not make gets its row now, as on a real server."""
        with self._connect() as connection:
            known = connection.execute(
                "SELECT backup_set_id FROM backupset WHERE backup_set_uuid = ?", (said["BackupSetGUID"],)
            ).fetchone()
            _insert(
                connection,
                "restorehistory",
                restore_date=now(),
                destination_database_name=statement.database,
                user_name=user,
                backup_set_id=known[0] if known else _insert_backup(connection, said, statement.devices),
                restore_type=_LETTERS[said["BackupType"]],
                replace=int(statement.replace),
                recovery=int(statement.recovery),
                restart=0,
                stop_at=stop_at,
                device_count=len(statement.devices),
            )

    def _connect(self) -> apsw.Connection:
        """A connection of its own; as a context manager it is a transaction."""
        connection = apsw.Connection(self._file)
        connection.set_busy_timeout(10_000)
        connection.pragma("synchronous", "NORMAL")
        return connection


def _insert_backup(connection: apsw.Connection, said: dict[str, Any], devices: Sequence[Device]) -> int:
    media = _insert(
        connection,
        "backupmediaset",
        media_uuid=new_guid(),
        media_family_count=len(devices),
        software_name="Microsoft SQL Server",
        is_compressed=said["Compressed"],
    )
    for number, device in enumerate(devices, start=1):
        _insert(
            connection,
            "backupmediafamily",
            media_set_id=media,
            family_sequence_number=number,
            media_family_id=new_guid(),
            physical_device_name=device.name,
            device_type=_DEVICE_TYPES[device.kind],
            mirror=0,
        )
    repeated = {column: said[word] for column, word in _FROM_FILE.items()}
    kind = _LETTERS[said["BackupType"]]
    return _insert(connection, "backupset", media_set_id=media, type=kind, **repeated, **_CONSTANTS)


def _insert(connection: apsw.Connection, table: str, **values: Any) -> int:
    columns = ", ".join(f'"{column}"' for column in values)
    marks = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", tuple(values.values()))  # noqa: S608 - our names
    return connection.last_insert_rowid()
