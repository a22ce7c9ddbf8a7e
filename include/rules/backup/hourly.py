"""What an hourly backup is: a log where the chain goes on, else what begins it again at the least cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from include.rules.points.chain_plan import latest_chain
from include.rules.points.chain_reach import Reach
from include.rules.points.chains import BackupType, DatabaseBackup


class RecoveryModel(StrEnum):
    """How a database keeps its log; the values are `recovery_model_desc` of sys.databases."""

    FULL = "FULL"
    BULK_LOGGED = "BULK_LOGGED"
    SIMPLE = "SIMPLE"


@dataclass(frozen=True, slots=True)
class LogChain:
    """Where a database stands in its chain of backups, as its server says.

    Attributes:
        fork: recovery_fork_guid of sys.database_recovery_status: the fork that it is on.
        log_lsn: last_log_backup_lsn there: the LSN with which the next log backup begins; None where no log is kept.
        left_fork: first_recovery_fork_guid there: the fork that it has left since its last log backup; empty otherwise.
        fork_lsn: fork_point_lsn there: where it has left it.
        base: differential_base_guid of sys.master_files: UUID of the full backup that a differential stands on; empty
            where there is none.
        has_news: False where nothing was logged since the last log backup.
    """

    recovery_model: RecoveryModel
    fork: str
    log_lsn: int | None
    left_fork: str = ""
    fork_lsn: int = 0
    base: str = ""
    has_news: bool = True

    @property
    def next_log(self) -> DatabaseBackup | None:
        """The log backup that would be made now, whose end nobody knows yet; None where none can be made."""
        if self.recovery_model is RecoveryModel.SIMPLE or self.log_lsn is None:
            return None
        return DatabaseBackup(
            uuid="",
            point="",
            type=BackupType.LOG,
            fork=self.fork,
            first_lsn=self.log_lsn,
            last_lsn=_NOT_YET,
            until=datetime.max.replace(tzinfo=UTC),
            left_fork=self.left_fork,
            fork_lsn=self.fork_lsn,
        )


@dataclass(frozen=True, slots=True)
class NextBackup:
    """What to make.

    Attributes:
        type: None where nothing has happened since the last log backup: what that one covers is covered until now.
        why: Why the chain begins again; empty where it goes on.
    """

    type: BackupType | None
    why: str = ""


_NOT_YET = 10**25  # above every LSN: numeric(25,0)


def next_backup(chain: LogChain, held: Sequence[DatabaseBackup], *, prefers: BackupType = BackupType.LOG) -> NextBackup:
    """What an hourly backup of the database is now.

    Args:
        held: The database's backups in the vault that can be read.
        prefers: LOG, or DIFFERENTIAL where the plan wants no logs.
    """
    if chain.recovery_model is RecoveryModel.SIMPLE or prefers is BackupType.DIFFERENTIAL:
        return _upon_base(chain, held, why="")
    log = chain.next_log
    if log is None:
        return _upon_base(chain, held, why="the database keeps no log: no backup has begun its chain yet")
    if any(reached.backup is log for reached in Reach([*held, log]).logs):
        return NextBackup(BackupType.LOG if chain.has_news else None)
    return _upon_base(chain, held, why=_gap_before(log, held))


def _upon_base(chain: LogChain, held: Sequence[DatabaseBackup], why: str) -> NextBackup:
    """A differential where its base is held, otherwise a full backup."""
    fulls = {backup.uuid for backup in held if backup.type is BackupType.FULL}
    if chain.base in fulls:
        return NextBackup(BackupType.DIFFERENTIAL, why)
    if not fulls:
        return NextBackup(BackupType.FULL, why or "the vault has no full backup of the database that can be read")
    moved = (
        f"the last full backup of the database ({chain.base}) is not in the vault: somebody else has made it, or it "
        "has expired"
        if chain.base
        else "the database has no base for a differential"
    )
    return NextBackup(BackupType.FULL, "; ".join(part for part in (why, moved) if part))


def _gap_before(log: DatabaseBackup, held: Sequence[DatabaseBackup]) -> str:
    latest = latest_chain(held)
    if latest is None:
        return "nothing in the vault can be restored that its log would go on from"
    end = latest.links[-1].backup
    return (
        f"its log begins at LSN {log.first_lsn} of recovery fork {log.entry_fork}, and what the vault has reaches LSN "
        f"{end.last_lsn} of fork {end.fork} only: somebody else has backed up the log between, or a backup is gone"
    )
