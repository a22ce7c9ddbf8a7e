"""The restore of a database to a moment: along which backups, or why not, and which moments are nearest to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from include.rules.points.chain_reach import Base, Reach, ReachedLog
from include.rules.points.chains import Chain, ChainLink, DatabaseBackup
from include.rules.points.moments import in_utc


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A moment that cannot be restored.

    Attributes:
        before, after: UTC of the nearest moments that can be; None where there is none on that side.
        why: What is missing, half a sentence.
    """

    moment: datetime
    before: datetime | None
    after: datetime | None
    why: str


def plan_chain(backups: Iterable[DatabaseBackup], moment: datetime) -> Chain | Unreachable:
    """What to restore so that the database shows what was committed up to `moment`.

    Args:
        backups: Those of one database that can be read, in any order; a damaged one is to be left out.
        moment: Of any zone.
    """
    moment, reach = in_utc(moment), Reach(backups)
    holding = [log for log in reach.logs if _holds(log, moment)]
    if holding:
        log = max(holding, key=lambda one: (one.backup.until == moment, one.backup.last_lsn, one.backup.uuid))
        return Chain(reach.path_to(log, moment), moment, None if log.backup.until == moment else moment)
    exact = [base for base in reach.bases if base.end.until == moment]
    if exact:
        return _chain_of(min(exact, key=lambda base: (len(base.backups), base.end.uuid)))
    return Unreachable(moment, _nearest_before(reach, moment), _nearest_after(reach, moment), _why(reach, moment))


def latest_chain(backups: Iterable[DatabaseBackup]) -> Chain | None:
    """What to restore so that the database shows as late a moment as it can; None where nothing can be restored."""
    reach = Reach(backups)
    log = max(reach.logs, key=lambda one: (one.backup.until, one.backup.last_lsn), default=None)
    base = max(reach.bases, key=lambda one: (one.end.until, -len(one.backups)), default=None)
    if log and (base is None or log.backup.until > base.end.until):
        return Chain(reach.path_to(log, log.backup.until), log.backup.until)
    return _chain_of(base) if base else None


def _chain_of(base: Base) -> Chain:
    return Chain(tuple(ChainLink(backup) for backup in base.backups), base.end.until)


def _holds(log: ReachedLog, moment: datetime) -> bool:
    """Whether the database can be stopped at that moment within this log."""
    if log.backup.bulk_logged:
        return log.backup.until == moment
    return log.since <= moment <= log.backup.until


def _nearest_before(reach: Reach, moment: datetime) -> datetime | None:
    return max((end for end in _ends(reach) if end < moment), default=None)


def _nearest_after(reach: Reach, moment: datetime) -> datetime | None:
    begins = (log.since for log in reach.logs if not log.backup.bulk_logged)
    return min((one for one in (*_ends(reach), *begins) if one > moment), default=None)


def _ends(reach: Reach) -> Iterator[datetime]:
    yield from (log.backup.until for log in reach.logs)
    yield from (base.end.until for base in reach.bases)


def _why(reach: Reach, moment: datetime) -> str:
    """The piece that is missing, in words."""
    reached = {log.backup.uuid for log in reach.logs}
    for log in reach.all_logs:
        if log.since and log.since <= moment <= log.until:
            if log.uuid in reached and log.bulk_logged:
                return (
                    f"the log of {log.point} holds bulk-logged changes, so that it can be restored to its end only, "
                    f"{log.until:%Y-%m-%d %H:%M:%S} UTC"
                )
            if log.uuid not in reached:
                return (
                    f"the log of {log.point} begins at LSN {log.first_lsn} of recovery fork {log.entry_fork}, and no "
                    "backup that can be read leads there"
                )
    if not reach.bases:
        return "there is no full backup of the database that can be read"
    ends = list(_ends(reach))
    if moment > max(ends):
        return "no backup reaches that moment yet"
    if moment < min(ends):
        return "the first full backup that is kept is later"
    return "no log holds the changes of that time"
