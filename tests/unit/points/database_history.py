"""A database that lives, is backed up and restored, and a server that restores as SQL Server does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from include.rules.points.chains import BackupType, ChainLink, DatabaseBackup

BEGIN = datetime(2026, 11, 23, tzinfo=UTC)


@dataclass(frozen=True)
class Commit:
    """One row that was committed."""

    lsn: int
    at: datetime


@dataclass
class DatabaseHistory:
    """A database with all that has ever been done to it; each deed takes a minute."""

    now: datetime = BEGIN
    rows: tuple[Commit, ...] = ()
    backups: list[DatabaseBackup] = field(default_factory=list)
    contents: dict[str, tuple[Commit, ...]] = field(default_factory=dict)
    shown: dict[datetime, tuple[Commit, ...]] = field(default_factory=dict)
    _lsn: int = 10
    fork: str = "fork-0"
    log_lsn: int = 0
    _log_since: datetime = BEGIN
    _left_fork: str = ""
    base: str = ""

    @property
    def left(self) -> tuple[str, int]:
        """The fork that the database has left since its last log backup, and where; nothing where it has not."""
        return (self._left_fork, self.log_lsn) if self._left_fork else ("", 0)

    def commit(self) -> None:
        self._pass()
        self.rows = (*self.rows, Commit(self._next_lsn(), self.now))
        self._show()

    def full(self, *, copy_only: bool = False) -> DatabaseBackup:
        backup = self._back_up(BackupType.FULL)
        if not copy_only:
            self.base = backup.uuid
            if not self.log_lsn:
                self.log_lsn, self._log_since = backup.last_lsn, self.now
        return backup

    def differential(self) -> DatabaseBackup | None:
        return self._back_up(BackupType.DIFFERENTIAL, base=self.base) if self.base else None

    def log(self, *, bulk_logged: bool = False) -> DatabaseBackup | None:
        if not self.log_lsn:
            return None
        backup = self._back_up(
            BackupType.LOG,
            first_lsn=self.log_lsn,
            since=self._log_since,
            left_fork=self._left_fork,
            fork_lsn=self.log_lsn if self._left_fork else 0,
            bulk_logged=bulk_logged,
        )
        self.log_lsn, self._log_since, self._left_fork = backup.last_lsn, self.now, ""
        return backup

    def restore(self, full: DatabaseBackup, rows: tuple[Commit, ...], lsn: int, fork: str) -> None:
        """Somebody has restored a full backup and logs up to that position, and recovered the database there."""
        self._pass()
        self.rows, self.base, self._lsn = rows, full.uuid, lsn
        self._left_fork, self.fork = fork, f"fork-{len(self.shown)}"
        self.log_lsn, self._log_since = lsn, self.now
        self._show()

    def _back_up(self, kind: BackupType, **fields: object) -> DatabaseBackup:
        self._pass()
        lsn = self._next_lsn()
        backup = DatabaseBackup(
            uuid=f"{kind}-{len(self.backups)}",
            point=f"point-{len(self.backups)}",
            type=kind,
            fork=self.fork,
            first_lsn=lsn,
            last_lsn=lsn,
            until=self.now,
        )
        backup = replace(backup, **fields)  # type: ignore[arg-type]
        self.backups.append(backup)
        self.contents[backup.uuid] = self.rows
        self._show()
        return backup

    def _pass(self) -> None:
        self.now += timedelta(minutes=1)

    def _next_lsn(self) -> int:
        self._lsn += 1
        return self._lsn

    def _show(self) -> None:
        self.shown[self.now] = self.rows


@dataclass(frozen=True)
class Restored:
    """Where a restore sequence has led: the rows, and the position from which a log goes on."""

    rows: tuple[Commit, ...]
    lsn: int
    fork: str
    full: str


class RefusedByServerError(Exception):
    """What SQL Server answers to a wrong step."""


def restore(history: DatabaseHistory, links: Sequence[ChainLink], stop_at: datetime | None = None) -> Restored:
    """Carry out a restore sequence.

    Raises:
        RefusedByServerError: where a step does not fit what was done before it.
    """
    state: Restored | None = None
    for link in links:
        backup, rows = link.backup, history.contents[link.backup.uuid]
        if backup.type is BackupType.FULL:
            state = Restored(rows, backup.last_lsn, backup.fork, backup.uuid)
        elif state is None:
            raise RefusedByServerError("3117: there is nothing to go on from")
        elif backup.type is BackupType.DIFFERENTIAL:
            if backup.base != state.full or backup.last_lsn <= state.lsn:
                raise RefusedByServerError("3136: another base")
            state = Restored(rows, backup.last_lsn, backup.fork, state.full)
        else:
            state = _rolled_forward(state, link, rows, stop_at)
    assert state
    return state


def _rolled_forward(state: Restored, link: ChainLink, rows: tuple[Commit, ...], stop_at: datetime | None) -> Restored:
    backup = link.backup
    if backup.entry_fork != state.fork or (backup.left_fork and state.lsn > backup.fork_lsn):
        raise RefusedByServerError("4330: another recovery path")
    if backup.first_lsn > state.lsn:
        raise RefusedByServerError("4305: too recent")
    if backup.last_lsn <= state.lsn:
        raise RefusedByServerError("4326: too early")
    added = [row for row in rows if row.lsn > state.lsn]
    if link.stop_lsn is not None or (stop_at and stop_at < backup.until):
        if backup.bulk_logged:
            raise RefusedByServerError("4341: bulk-logged changes")
        if link.stop_lsn is not None:
            held = tuple(row for row in added if row.lsn <= link.stop_lsn)
            return replace(state, rows=state.rows + held, lsn=link.stop_lsn)
        held = tuple(row for row in added if stop_at is None or row.at <= stop_at)
        return replace(state, rows=state.rows + held, fork=backup.fork)
    return Restored(state.rows + tuple(added), backup.last_lsn, backup.fork, state.full)
