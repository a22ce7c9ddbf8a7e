"""The grammar of BACKUP and RESTORE.

https://learn.microsoft.com/sql/t-sql/statements/backup-transact-sql and .../restore-statements-transact-sql
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from lab.sqlserver.errors import UNSUPPORTED, SqlServerError
from lab.sqlserver.tsql.reader import Reader
from lab.sqlserver.tsql.statements import Backup, Device, Restore, RestoreReport

MAX_DEVICES = 64
_MAX_NAME, _MAX_DESCRIPTION = 128, 255  # characters

# What a real server takes and Perennial does not send.
_LEFT_OUT = frozenset({
    "STANDBY", "NO_TRUNCATE", "CONTINUE_AFTER_ERROR", "ENCRYPTION", "EXPIREDATE", "RETAINDAYS", "MEDIANAME", "FILE",
    "STOPATMARK", "STOPBEFOREMARK", "PARTIAL", "RESTART", "BACKUP_OPTIONS", "RESTORE_OPTIONS", "METADATA_ONLY",
})  # fmt: skip

# How an option is read: from what follows its word, to fields of the statement.
Option = Callable[[Reader], dict[str, Any]]


def backup(reader: Reader) -> Backup:
    """BACKUP DATABASE|LOG name TO DISK|URL = N'...', ... [WITH option, ...]."""
    reader.expect("BACKUP")
    kind = _kind(reader)
    name = reader.name()
    reader.expect("TO")
    devices = _devices(reader)
    known = _BACKUP_OPTIONS | _OVERWRITE[devices[0].kind] | _BACKUP_OPTIONS_OF[kind]
    options = _options(reader, known, "BACKUP")
    options.setdefault("checksum", options.get("compression", False))  # a compressed backup has them unless told not to
    if options.get("kind") == "DIFFERENTIAL":
        options.pop("copy_only", None)  # is ignored there
    return Backup(**{"kind": kind, "database": name, "devices": devices} | options)


def restore(reader: Reader) -> Restore | RestoreReport:
    """RESTORE DATABASE|LOG name [FROM device, ...] or RESTORE VERIFYONLY and its like FROM device, ... [WITH ...]."""
    reader.expect("RESTORE")
    for report in ("VERIFYONLY", "HEADERONLY", "FILELISTONLY", "LABELONLY"):
        if reader.accept(report):
            reader.expect("FROM")
            return RestoreReport(report, _devices(reader), **_options(reader, _REPORT_OPTIONS, "RESTORE"))
    kind = _kind(reader)
    name = reader.name()
    if not reader.accept("FROM"):
        return Restore(kind, name, (), **_options(reader, _RECOVERY, "RESTORE"))
    return Restore(kind, name, _devices(reader), **_options(reader, _RESTORE_OPTIONS, "RESTORE"))


def _kind(reader: Reader) -> Literal["DATABASE", "LOG"]:
    if reader.accept("LOG"):
        return "LOG"
    reader.expect("DATABASE")
    return "DATABASE"


def _devices(reader: Reader) -> tuple[Device, ...]:
    """One device or several of one kind: the stripes of one backup."""
    devices = [_device(reader)]
    while reader.accept_symbol(","):
        devices.append(_device(reader))
        if devices[-1].kind != devices[0].kind:
            raise SqlServerError(3011)
    if len(devices) > MAX_DEVICES:
        raise SqlServerError(3205, MAX_DEVICES)
    return tuple(devices)


def _device(reader: Reader) -> Device:
    for kind in ("DISK", "URL"):
        if reader.accept(kind):
            reader.expect_symbol("=")
            return Device(kind, reader.string())
    raise reader.wrong()


def _options(reader: Reader, known: Mapping[str, Option], statement: str) -> dict[str, Any]:
    """Read WITH and its list.

    MOVE may come many times and adds up. Raises SqlServerError 155 for an unknown option (50000 where a real server
    knows it), 1039 for one that comes twice, 3031 for two that say the opposite.
    """
    fields: dict[str, Any] = {}
    said_by: dict[str, str] = {}  # which option has set a field
    if not reader.accept("WITH"):
        return fields
    while True:
        word = reader.name().upper()
        if word in _LEFT_OUT:
            raise SqlServerError(UNSUPPORTED, f"{statement} WITH {word}")
        if word not in known:
            raise SqlServerError(155, word, statement)
        for name, value in known[word](reader).items():
            if isinstance(value, tuple):
                fields[name] = fields.get(name, ()) + value
                continue
            if said_by.get(name) == word:
                raise SqlServerError(1039, word)
            if fields.get(name, value) != value:
                raise SqlServerError(3031, word.lower(), said_by[name].lower())
            fields[name], said_by[name] = value, word
        if not reader.accept_symbol(","):
            return fields


def _flag(**fields: Any) -> Option:
    return lambda _: fields


def _text(field: str, limit: int | None = None) -> Option:
    """A string of at most `limit` characters; a longer one raises SqlServerError 103."""

    def read(reader: Reader) -> dict[str, Any]:
        reader.expect_symbol("=")
        text = reader.string()
        if limit and len(text) > limit:
            raise SqlServerError(103, "character string", text[:limit], limit)
        return {field: text}

    return read


def _stats(reader: Reader) -> dict[str, Any]:
    percent = reader.integer() if reader.accept_symbol("=") else 10
    if percent > 100:
        raise SqlServerError(3217, "STATS")
    return {"stats": max(percent, 1)}


def _transfer_size(reader: Reader) -> dict[str, Any]:
    reader.expect_symbol("=")
    return {"transfer_size": reader.integer()}


def _move(reader: Reader) -> dict[str, Any]:
    logical = reader.string()
    reader.expect("TO")
    return {"moves": ((logical, reader.string()),)}


_BACKUP_OPTIONS: dict[str, Option] = {
    "NAME": _text("name", _MAX_NAME),
    "DESCRIPTION": _text("description", _MAX_DESCRIPTION),
    "CHECKSUM": _flag(checksum=True),
    "NO_CHECKSUM": _flag(checksum=False),
    "COMPRESSION": _flag(compression=True),
    "NO_COMPRESSION": _flag(compression=False),
    "COPY_ONLY": _flag(copy_only=True),
    "STATS": _stats,
    "MAXTRANSFERSIZE": _transfer_size,
}
_BACKUP_OPTIONS_OF: dict[str, dict[str, Option]] = {
    "DATABASE": {"DIFFERENTIAL": _flag(kind="DIFFERENTIAL")},
    "LOG": {"NORECOVERY": _flag(norecovery=True)},
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
_RECOVERY: dict[str, Option] = {"RECOVERY": _flag(recovery=True), "NORECOVERY": _flag(recovery=False)}
_RESTORE_OPTIONS: dict[str, Option] = {
    **_REPORT_OPTIONS,
    **_RECOVERY,
    "MOVE": _move,
    "REPLACE": _flag(replace=True),
    "STOPAT": _text("stop_at"),
    "KEEP_CDC": _flag(keep_cdc=True),
}
