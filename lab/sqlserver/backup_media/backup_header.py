"""What a backup says of itself; names as in RESTORE HEADERONLY, `Files` as in RESTORE FILELISTONLY."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.sqlserver.backup_media.contents import Contents
from lab.sqlserver.engine.context import Context
from lab.sqlserver.engine.databases import LSN_STEP, Database, new_guid
from lab.sqlserver.engine.instance import DATABASE_VERSION, PRODUCT_VERSION
from lab.sqlserver.tsql.statements import Backup

FULL, LOG, DIFFERENTIAL = 1, 2, 5  # BackupType
TYPES = {"DATABASE": FULL, "LOG": LOG, "DIFFERENTIAL": DIFFERENTIAL}
DESCRIPTIONS = {FULL: "Database", LOG: "Transaction Log", DIFFERENTIAL: "Database Differential"}


def header_of(
    context: Context, database: Database, statement: Backup, contents: Contents, lsn: int, started: str
) -> dict[str, Any]:
    """The header of a backup of what was committed up to `lsn`."""
    major, minor, build, _ = PRODUCT_VERSION.split(".")
    return {
        "BackupName": statement.name,
        "BackupDescription": statement.description,
        "Compressed": int(statement.compression),
        "DeviceType": 2 if statement.devices[0].kind == "DISK" else 9,
        "UserName": context.session.login,
        "ServerName": context.instance.name,
        "Server": context.instance.identity,
        "CompatibilityLevel": database.compatibility_level,
        "DatabaseName": database.name,
        "DatabaseCreationDate": database.created,
        "BackupSize": contents.size,
        "BackupStartDate": started,
        "SoftwareVersionMajor": int(major),
        "SoftwareVersionMinor": int(minor),
        "SoftwareVersionBuild": int(build),
        "DatabaseVersion": DATABASE_VERSION,
        "MachineName": context.instance.name,
        "FamilyGUID": database.family_guid,
        "HasBackupChecksums": int(statement.checksum),
        "IsSingleUser": int(database.user_access == "SINGLE_USER"),
        "IsCopyOnly": int(statement.copy_only),
        "RecoveryModel": database.recovery_model,
        "BackupSetGUID": new_guid(),
        **_place_in_the_chain(database, TYPES[statement.kind], lsn),
        "Files": [
            {
                "TDEThumbprint": database.encryptor or None,
                "LogicalName": database.data_name,
                "PhysicalName": database.data_file,
                "Type": "D",
                "Size": Path(database.data_file).stat().st_size,
            },
            {
                "TDEThumbprint": database.encryptor or None,
                "LogicalName": database.log_name,
                "PhysicalName": database.log_file,
                "Type": "L",
                "Size": Path(database.log_file).stat().st_size,
            },
        ],
    }


def _place_in_the_chain(database: Database, kind: int, lsn: int) -> dict[str, Any]:
    """The LSNs and GUIDs by which backups find together. A backup's log ends between `lsn` and the next commit's."""
    differential, log = kind == DIFFERENTIAL, kind == LOG
    return {
        "BackupType": kind,
        "BackupTypeDescription": DESCRIPTIONS[kind],
        "FirstLSN": database.log_lsn if log else lsn,
        "LastLSN": lsn + LSN_STEP // 2,
        "CheckpointLSN": database.base_lsn if log else lsn,
        "DatabaseBackupLSN": database.base_lsn,
        "DifferentialBaseLSN": database.base_lsn if differential else None,
        "DifferentialBaseGUID": database.base_guid if differential else None,
        "BeginsLogChain": int(log and database.log_lsn == database.chain_lsn),
        "RecoveryForkID": database.recovery_fork,
        "FirstRecoveryForkID": (log and database.log_fork) or database.recovery_fork,
        "ForkPointLSN": database.fork_lsn if log and database.log_fork else None,
    }
