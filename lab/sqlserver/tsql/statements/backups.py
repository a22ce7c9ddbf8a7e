"""BACKUP and RESTORE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DEFAULT_TRANSFER_SIZE = 10 * 1024 * 1024


@dataclass(frozen=True)
class Device:
    """Where a backup goes to or comes from: a file (DISK) or an object (URL, s3://host:port/bucket/key)."""

    kind: Literal["DISK", "URL"]
    name: str


@dataclass(frozen=True)
class Backup:
    """BACKUP DATABASE, the same WITH DIFFERENTIAL, or BACKUP LOG; several devices are stripes of one backup.

    `stats` is the step between progress messages in per cent (None: none), `transfer_size` a part's bytes. With
    `norecovery` the database is RESTORING afterwards.
    """

    kind: Literal["DATABASE", "DIFFERENTIAL", "LOG"]
    database: str
    devices: tuple[Device, ...]
    name: str | None = None
    description: str | None = None
    checksum: bool = False
    compression: bool = False
    copy_only: bool = False
    overwrite: bool = False
    norecovery: bool = False
    stats: int | None = None
    transfer_size: int = DEFAULT_TRANSFER_SIZE


@dataclass(frozen=True)
class Restore:
    """RESTORE DATABASE or RESTORE LOG; without devices, only what follows the last backup: recovery.

    `moves` maps logical file names to physical paths; `stop_at` is a moment as written.
    """

    kind: Literal["DATABASE", "LOG"]
    database: str
    devices: tuple[Device, ...]
    moves: tuple[tuple[str, str], ...] = ()
    replace: bool = False
    checksum: bool = False
    recovery: bool = True
    stop_at: str | None = None
    keep_cdc: bool = False
    stats: int | None = None


@dataclass(frozen=True)
class RestoreReport:
    """RESTORE VERIFYONLY, HEADERONLY, FILELISTONLY or LABELONLY."""

    report: Literal["VERIFYONLY", "HEADERONLY", "FILELISTONLY", "LABELONLY"]
    devices: tuple[Device, ...]
    checksum: bool = False
    stats: int | None = None
