"""The grammar of BACKUP and RESTORE.

https://learn.microsoft.com/sql/t-sql/statements/backup-transact-sql and .../restore-statements-transact-sql
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lab.sqlserver.errors import UNSUPPORTED, SqlServerError
from lab.sqlserver.tsql.reader import Reader
from lab.sqlserver.tsql.statements import BackupDatabase, Device, RestoreDatabase, RestoreReport

# How an option is read: from what follows its word, to fields of the statement.
Option = Callable[[Reader], dict[str, Any]]


def backup(reader: Reader) -> BackupDatabase:
    """BACKUP DATABASE name TO DISK|URL = N'...' [WITH option, ...]."""
    reader.expect("BACKUP")
    if reader.at_words("LOG"):
        raise SqlServerError(UNSUPPORTED, "BACKUP LOG")
    reader.expect("DATABASE")
    name = reader.name()
    reader.expect("TO")
    device = _device(reader, "BACKUP")
    return BackupDatabase(name, device, **_options(reader, _BACKUP_OPTIONS | _OVERWRITE[device.kind], "BACKUP"))


def restore(reader: Reader) -> RestoreDatabase | RestoreReport:
    """RESTORE DATABASE name | VERIFYONLY | HEADERONLY | FILELISTONLY FROM DISK|URL = N'...' [WITH option, ...]."""
    reader.expect("RESTORE")
    for report in ("VERIFYONLY", "HEADERONLY", "FILELISTONLY"):
        if reader.accept(report):
            reader.expect("FROM")
            device = _device(reader, "RESTORE")
            return RestoreReport(report, device, **_options(reader, _REPORT_OPTIONS, "RESTORE"))
    if reader.at_words("LOG"):
        raise SqlServerError(UNSUPPORTED, "RESTORE LOG")
    reader.expect("DATABASE")
    name = reader.name()
    reader.expect("FROM")
    device = _device(reader, "RESTORE")
    options = _options(reader, _RESTORE_OPTIONS, "RESTORE")
    return RestoreDatabase(name, device, **options)


def _device(reader: Reader, statement: str) -> Device:
    for kind in ("DISK", "URL"):
        if reader.accept(kind):
            reader.expect_symbol("=")
            device = Device(kind, reader.string())
            if reader.here.is_symbol(","):
                raise SqlServerError(UNSUPPORTED, f"{statement} with several devices (stripes)")
            return device
    raise reader.wrong()


def _options(reader: Reader, known: Mapping[str, Option], statement: str) -> dict[str, Any]:
    """Read WITH and its list. MOVE may come many times and adds up. Raises SqlServerError 155 for an unknown option."""
    fields: dict[str, Any] = {}
    if not reader.accept("WITH"):
        return fields
    while True:
        word = reader.name().upper()
        if word not in known:
            raise SqlServerError(155, word, statement)
        for name, value in known[word](reader).items():
            fields[name] = fields.get(name, ()) + value if isinstance(value, tuple) else value
        if not reader.accept_symbol(","):
            return fields


def _flag(**fields: Any) -> Option:
    return lambda _: fields


def _text(field: str) -> Option:
    def read(reader: Reader) -> dict[str, Any]:
        reader.expect_symbol("=")
        return {field: reader.string()}

    return read


def _stats(reader: Reader) -> dict[str, Any]:
    return {"stats": max(reader.integer(), 1) if reader.accept_symbol("=") else 10}


def _transfer_size(reader: Reader) -> dict[str, Any]:
    reader.expect_symbol("=")
    return {"transfer_size": reader.integer()}


def _move(reader: Reader) -> dict[str, Any]:
    logical = reader.string()
    reader.expect("TO")
    return {"moves": ((logical, reader.string()),)}


_BACKUP_OPTIONS: dict[str, Option] = {
    "NAME": _text("name"),
    "DESCRIPTION": _text("description"),
    "CHECKSUM": _flag(checksum=True),
    "NO_CHECKSUM": _flag(checksum=False),
    "COMPRESSION": _flag(compression=True),
    "NO_COMPRESSION": _flag(compression=False),
    "COPY_ONLY": _flag(copy_only=True),
    "STATS": _stats,
    "MAXTRANSFERSIZE": _transfer_size,
}
# INIT and NOINIT exist for files alone: an object cannot be appended to.
_OVERWRITE: dict[str, dict[str, Option]] = {
    "DISK": {"FORMAT": _flag(overwrite=True), "INIT": _flag(overwrite=True)},
    "URL": {"FORMAT": _flag(overwrite=True)},
}
_REPORT_OPTIONS: dict[str, Option] = {
    "CHECKSUM": _flag(checksum=True),
    "NO_CHECKSUM": _flag(checksum=False),
    "STATS": _stats,
}
_RESTORE_OPTIONS: dict[str, Option] = {
    **_REPORT_OPTIONS,
    "MOVE": _move,
    "REPLACE": _flag(replace=True),
    "RECOVERY": _flag(),
}
