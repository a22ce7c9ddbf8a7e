"""Database backups and how they hang together: by LSN and recovery fork, never by name or clock.

SQL Server's rules: a differential stands on the full backup whose UUID it names; a log goes on from any position within
it, on its own recovery fork or on the one that it leads away from, up to where it leaves that one (learn.microsoft.com,
"Recovery Paths" and "RESTORE HEADERONLY").
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class BackupType(StrEnum):
    """What a backup of a database holds."""

    FULL = "full"
    DIFFERENTIAL = "differential"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class DatabaseBackup:
    """A full, differential or log backup, as its header describes it.

    Attributes:
        uuid: BackupSetGUID.
        point: Id of the recovery point that holds it.
        fork: RecoveryForkID: the fork that the database is on once the whole backup is restored.
        first_lsn: Of a log, the LSN with which it begins.
        last_lsn: The LSN that the database is rolled forward to once the whole backup is restored.
        until: UTC of the moment that the database shows then.
        since: UTC; of a log, the moment from which on it holds every change. None of data backups.
        base: Of a differential, the UUID of the full backup that it stands on.
        left_fork: Of a log that leads from one fork to another, FirstRecoveryForkID, the one that it leaves.
        fork_lsn: Of such a log, ForkPointLSN, where it leaves it.
        bulk_logged: True of a log that holds bulk-logged changes: it can only be restored whole.
    """

    uuid: str
    point: str
    type: BackupType
    fork: str
    first_lsn: int
    last_lsn: int
    until: datetime
    since: datetime | None = None
    base: str = ""
    left_fork: str = ""
    fork_lsn: int = 0
    bulk_logged: bool = False

    @property
    def entry_fork(self) -> str:
        """The fork that the database has to be on for this log to go on from there."""
        return self.left_fork or self.fork

    @property
    def last_entry(self) -> int:
        """The greatest LSN from which this log goes on."""
        return self.fork_lsn if self.left_fork else self.last_lsn - 1


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One step of a restore sequence: a backup, and the LSN at which it is to stop where it is not restored whole."""

    backup: DatabaseBackup
    stop_lsn: int | None = None


@dataclass(frozen=True, slots=True)
class Chain:
    """What to restore, in this order: a full backup, a differential where one helps, and logs.

    Attributes:
        stop_at: UTC of the moment at which the last log is to stop; None where everything is restored whole.
        shows: UTC of the moment that the database shows at the end.
    """

    links: tuple[ChainLink, ...]
    shows: datetime
    stop_at: datetime | None = None

    @property
    def points(self) -> tuple[str, ...]:
        """Ids of the recovery points that it needs, each once, in the order of the chain."""
        return tuple(dict.fromkeys(link.backup.point for link in self.links))
