"""Which moments of a database can be restored from its backups, and along which of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from include.rules.points.chains import BackupType, ChainLink, DatabaseBackup


@dataclass(frozen=True, slots=True)
class Base:
    """Data that a restore can begin with: a full backup, or a differential upon its own full one.

    Attributes:
        end: The backup that says where the database is then, and which moment it shows.
    """

    backups: tuple[DatabaseBackup, ...]
    end: DatabaseBackup


@dataclass(frozen=True, slots=True)
class ReachedLog:
    """A log that can be restored, because something before it leads there.

    Attributes:
        before: The log that leads there; None where only a base does.
        lowest: The least LSN within it that can be restored.
        since: UTC of the moment that the database shows there.
    """

    backup: DatabaseBackup
    before: ReachedLog | None
    lowest: int
    since: datetime

    def leads_to(self, log: DatabaseBackup) -> bool:
        """Whether `log` goes on from a position within this one: its end, or the point at which a fork leaves it."""
        end = self.backup.last_lsn
        if end <= log.last_entry:
            return end >= log.first_lsn
        return bool(log.left_fork) and not self.backup.bulk_logged and self.lowest < log.fork_lsn


class Reach:
    """All that can be restored from these backups, whatever their order."""

    def __init__(self, backups: Iterable[DatabaseBackup]) -> None:
        by_type = defaultdict[BackupType, list[DatabaseBackup]](list)
        for backup in backups:
            by_type[backup.type].append(backup)
        self.bases = _bases_of(by_type[BackupType.FULL], by_type[BackupType.DIFFERENTIAL])
        self.all_logs = sorted(by_type[BackupType.LOG], key=attrgetter("first_lsn", "last_lsn", "uuid"))
        self._on_fork = _by_fork(self.bases)
        self.logs = tuple(self._reached_logs())

    def path_to(self, log: ReachedLog, moment: datetime) -> tuple[ChainLink, ...]:
        """What to restore to come to that moment within the log, the log itself the last.

        The latest base that serves is the one to begin with: whatever lies between is not restored twice.
        """
        links, current, stop = [ChainLink(log.backup)], log, log.backup.last_entry
        until: datetime | None = moment
        while True:
            base = self._base_within(current.backup, stop, until)
            if base:
                return (*(ChainLink(backup) for backup in base.backups), *reversed(links))
            after, before = current.backup, current.before
            if before is None:
                raise AssertionError(f"nothing leads to log {after.uuid}")
            stop, until = min(before.backup.last_entry, after.last_entry), None
            is_whole = before.backup.last_lsn <= after.last_entry
            links.append(ChainLink(before.backup, None if is_whole else after.fork_lsn))
            current = before

    def _base_within(self, log: DatabaseBackup, stop: int, until: datetime | None = None) -> Base | None:
        """The latest base from which the log goes on directly, at an LSN and at a moment that are not above these."""
        positions, bases = self._on_fork.get(log.entry_fork, _NONE)
        for index in range(bisect_right(positions, min(stop, log.last_entry)) - 1, -1, -1):
            if positions[index] < log.first_lsn:
                break
            if until is None or bases[index].end.until <= until:
                return bases[index]
        return None

    def _earliest_base_within(self, log: DatabaseBackup) -> Base | None:
        positions, bases = self._on_fork.get(log.entry_fork, _NONE)
        index = bisect_left(positions, log.first_lsn)
        return bases[index] if index < len(positions) and positions[index] <= log.last_entry else None

    def _reached_logs(self) -> Iterator[ReachedLog]:
        reached = defaultdict[str, _ReachedOnFork](_ReachedOnFork)
        for log in self.all_logs:
            before = reached[log.entry_fork].leading_to(log)
            if before:
                found = ReachedLog(log, before, max(before.lowest, log.first_lsn), log.since or log.until)
            elif base := self._earliest_base_within(log):
                since = max(base.end.until, log.since or base.end.until)
                found = ReachedLog(log, None, base.end.last_lsn, since)
            else:
                continue
            reached[log.fork].append(found)
            yield found


class _ReachedOnFork:
    """Logs of one fork that can be restored, by their first LSN."""

    def __init__(self) -> None:
        self._logs = list[ReachedLog]()
        self._furthest = list[int]()  # the greatest LSN of the logs up to each

    def append(self, log: ReachedLog) -> None:
        furthest = self._furthest[-1] if self._furthest else 0
        self._logs.append(log)
        self._furthest.append(max(furthest, log.backup.last_lsn))

    def leading_to(self, log: DatabaseBackup) -> ReachedLog | None:
        """The last one from which that log goes on."""
        for index in range(len(self._logs) - 1, -1, -1):
            if self._furthest[index] < log.first_lsn:
                break
            if self._logs[index].leads_to(log):
                return self._logs[index]
        return None


_NONE = (list[int](), list[Base]())


def _bases_of(fulls: Sequence[DatabaseBackup], differentials: Sequence[DatabaseBackup]) -> tuple[Base, ...]:
    by_uuid = {full.uuid: full for full in fulls}
    upon = ((by_uuid.get(one.base), one) for one in differentials)
    return (
        *(Base((full,), full) for full in by_uuid.values()),
        *(Base((full, one), one) for full, one in upon if full and full.last_lsn < one.last_lsn),
    )


def _by_fork(bases: Iterable[Base]) -> dict[str, tuple[list[int], list[Base]]]:
    """By fork, the LSNs to which bases lead, in their order, and the bases."""
    on_fork = defaultdict[str, list[Base]](list)
    for base in sorted(bases, key=lambda one: (one.end.last_lsn, -len(one.backups), one.end.uuid)):
        on_fork[base.end.fork].append(base)
    return {fork: ([base.end.last_lsn for base in found], found) for fork, found in on_fork.items()}
