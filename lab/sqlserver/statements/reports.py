"""RESTORE VERIFYONLY, HEADERONLY and FILELISTONLY: what a backup says of itself, in all columns of SQL Server 2022."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab.sqlserver.backup_media.devices import open_backup
from lab.sqlserver.engine import permissions
from lab.sqlserver.engine.context import Context
from lab.sqlserver.engine.instance import DATABASE_VERSION
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.statements.progress import Progress
from lab.sqlserver.statements.restore_plan import check_certificate, check_checksums, check_version
from lab.sqlserver.translation.column_types import declared_type
from lab.sqlserver.translation.declarations import columns
from lab.sqlserver.tsql.statements import RestoreReport

# https://learn.microsoft.com/sql/t-sql/statements/restore-statements-headeronly-transact-sql
_HEADER_COLUMNS = columns(
    "BackupName NVARCHAR(128); BackupDescription NVARCHAR(255); BackupType SMALLINT; "
    "ExpirationDate DATETIME; Compressed TINYINT; Position SMALLINT; DeviceType TINYINT; "
    "UserName NVARCHAR(128); ServerName NVARCHAR(128); DatabaseName NVARCHAR(128); DatabaseVersion INT; "
    "DatabaseCreationDate DATETIME; BackupSize NUMERIC(20,0); FirstLSN NUMERIC(25,0); LastLSN NUMERIC(25,0); "
    "CheckpointLSN NUMERIC(25,0); DatabaseBackupLSN NUMERIC(25,0); BackupStartDate DATETIME; "
    "BackupFinishDate DATETIME; SortOrder SMALLINT; CodePage SMALLINT; UnicodeLocaleId INT; "
    "UnicodeComparisonStyle INT; CompatibilityLevel TINYINT; SoftwareVendorId INT; SoftwareVersionMajor INT; "
    "SoftwareVersionMinor INT; SoftwareVersionBuild INT; MachineName NVARCHAR(128); Flags INT; "
    "BindingID UNIQUEIDENTIFIER; RecoveryForkID UNIQUEIDENTIFIER; Collation NVARCHAR(128); "
    "FamilyGUID UNIQUEIDENTIFIER; HasBulkLoggedData BIT; IsSnapshot BIT; IsReadOnly BIT; IsSingleUser BIT; "
    "HasBackupChecksums BIT; IsDamaged BIT; BeginsLogChain BIT; HasIncompleteMetaData BIT; "
    "IsForceOffline BIT; IsCopyOnly BIT; FirstRecoveryForkID UNIQUEIDENTIFIER; ForkPointLSN NUMERIC(25,0); "
    "RecoveryModel NVARCHAR(60); DifferentialBaseLSN NUMERIC(25,0); DifferentialBaseGUID UNIQUEIDENTIFIER; "
    "BackupTypeDescription NVARCHAR(60); BackupSetGUID UNIQUEIDENTIFIER; CompressedBackupSize BIGINT; "
    "containment TINYINT; KeyAlgorithm NVARCHAR(32); EncryptorThumbprint VARBINARY(20); "
    "EncryptorType NVARCHAR(32); LastValidRestoreTime DATETIME; TimeZone SMALLINT; "
    "CompressionAlgorithm NVARCHAR(32)"
)
_HEADER_CONSTANTS: dict[str, Any] = {
    "Position": 1,
    "DatabaseVersion": DATABASE_VERSION,
    "SortOrder": 52,
    "CodePage": 0,
    "UnicodeLocaleId": 1033,
    "UnicodeComparisonStyle": 196609,
    "SoftwareVendorId": 4608,
    "Flags": 512,
    "Collation": "SQL_Latin1_General_CP1_CI_AS",
    "HasBulkLoggedData": 0,
    "IsSnapshot": 0,
    "IsReadOnly": 0,
    "IsDamaged": 0,
    "HasIncompleteMetaData": 0,
    "IsForceOffline": 0,
    "containment": 0,
    "TimeZone": 0,
}

# https://learn.microsoft.com/sql/t-sql/statements/restore-statements-filelistonly-transact-sql
_FILE_COLUMNS = columns(
    "LogicalName NVARCHAR(128); PhysicalName NVARCHAR(260); Type CHAR(1); FileGroupName NVARCHAR(128); "
    "Size NUMERIC(20,0); MaxSize NUMERIC(20,0); FileID BIGINT; CreateLSN NUMERIC(25,0); "
    "DropLSN NUMERIC(25,0); UniqueID UNIQUEIDENTIFIER; ReadOnlyLSN NUMERIC(25,0); "
    "ReadWriteLSN NUMERIC(25,0); BackupSizeInBytes BIGINT; SourceBlockSize INT; FileGroupID INT; "
    "LogGroupGUID UNIQUEIDENTIFIER; DifferentialBaseLSN NUMERIC(25,0); "
    "DifferentialBaseGUID UNIQUEIDENTIFIER; IsReadOnly BIT; IsPresent BIT; TDEThumbprint VARBINARY(32); "
    "SnapshotURL NVARCHAR(360)"
)
_FILE_CONSTANTS: dict[str, Any] = {
    "CreateLSN": 0,
    "DropLSN": 0,
    "ReadOnlyLSN": 0,
    "ReadWriteLSN": 0,
    "SourceBlockSize": 4096,
    "IsReadOnly": 0,
    "IsPresent": 1,
}
_FILE_OF_TYPE: dict[str, dict[str, Any]] = {
    "D": {"FileGroupName": "PRIMARY", "MaxSize": 35_184_372_080_640, "FileID": 1, "FileGroupID": 1},
    "L": {"MaxSize": 2_199_023_255_552, "FileID": 2, "FileGroupID": 0},
}
_NAMES = {
    "VERIFYONLY": "VERIFY DATABASE",
    "HEADERONLY": "RESTORE HEADERONLY",
    "FILELISTONLY": "RESTORE FILELIST",
    "LABELONLY": "RESTORE LABELONLY",
}


_LABEL_COLUMNS = columns(
    "MediaName NVARCHAR(128); MediaSetId UNIQUEIDENTIFIER; FamilyCount INT; FamilySequenceNumber INT; "
    "MediaFamilyId UNIQUEIDENTIFIER; MediaSequenceNumber INT; MediaLabelPresent TINYINT; "
    "MediaDescription NVARCHAR(255); SoftwareName NVARCHAR(128); SoftwareVendorId INT; MediaDate DATETIME; "
    "MirrorCount INT; IsCompressed BIT"
)


def run(context: Context, statement: RestoreReport) -> None:
    """Read the backup, all of it or only its ends, and answer."""
    with context.terminating(_NAMES[statement.report]):
        if context.session.transactions:
            raise SqlServerError(3021, state=0)
        permissions.check_create(context.instance, context.session)
        with open_backup(context.instance, statement.devices) as reader:
            if statement.report in ("VERIFYONLY", "FILELISTONLY"):
                check_version(reader.header)
            check_checksums(reader.header, statement.checksum)
            check_certificate(context.instance, reader.header)
            if statement.report == "VERIFYONLY":
                progress = Progress(context, reader.header["BackupSize"], statement.stats, 0, statement.devices[0].name)
                for block in reader.blocks():
                    progress.advance(len(block))
            trailer = reader.trailer() if statement.report == "HEADERONLY" else {}
    _ANSWERS[statement.report](context, reader.header | trailer)


def _valid(context: Context, _header: dict[str, Any]) -> None:
    context.reply.info(3262)
    context.reply.done()


def _headers(context: Context, header: dict[str, Any]) -> None:
    _answer(context, _HEADER_COLUMNS, [_HEADER_CONSTANTS | _header(header)])


def _file_list(context: Context, header: dict[str, Any]) -> None:
    files = [_FILE_CONSTANTS | _FILE_OF_TYPE[file["Type"]] | _file(file) for file in header["Files"]]
    _answer(context, _FILE_COLUMNS, files)


def _label(context: Context, header: dict[str, Any]) -> None:
    label = {
        "MediaSetId": header["BackupSetGUID"],  # a medium never holds more than one set here
        "MediaSequenceNumber": 1,
        "MediaLabelPresent": 0,
        "SoftwareName": "Microsoft SQL Server",
        "SoftwareVendorId": 4608,
        "MediaDate": header["BackupStartDate"],
        "MirrorCount": 1,
        "IsCompressed": header["Compressed"],
    }
    _answer(context, _LABEL_COLUMNS, [header | label])


_ANSWERS = {"VERIFYONLY": _valid, "HEADERONLY": _headers, "FILELISTONLY": _file_list, "LABELONLY": _label}


def _header(header: dict[str, Any]) -> dict[str, Any]:
    family = header["FamilyGUID"]
    derived = {
        "BindingID": family,
        "LastValidRestoreTime": header["BackupStartDate"],
        "CompressionAlgorithm": "MS_XPRESS" if header["Compressed"] else None,
    }
    return header | derived


def _file(file: dict[str, Any]) -> dict[str, Any]:
    thumbprint = file.get("TDEThumbprint")
    return file | {
        "BackupSizeInBytes": file["Size"],
        "TDEThumbprint": bytes.fromhex(thumbprint) if thumbprint else None,
    }


def _answer(context: Context, declared: Sequence[tuple[str, str]], records: list[dict[str, Any]]) -> None:
    """One row a record; what a record does not hold is NULL."""
    types = [(name, kind) for name, text in declared if (kind := declared_type(text)) is not None]
    context.reply.rows(types, [[record.get(name) for name, _ in declared] for record in records])
