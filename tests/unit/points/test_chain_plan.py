"""The planner of chains: the latest base that serves, every log in its order, and exactly the moment asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest

from include.rules.points.chain_plan import Unreachable, latest_chain, plan_chain
from include.rules.points.chains import BackupType, Chain, ChainLink, DatabaseBackup
from tests.unit.points.database_history import DatabaseHistory, restore

FULL, DIFFERENTIAL, LOG = BackupType.FULL, BackupType.DIFFERENTIAL, BackupType.LOG


def planned(history: DatabaseHistory, moment: datetime, backups: Sequence[DatabaseBackup] | None = None) -> Chain:
    chain = plan_chain(history.backups if backups is None else backups, moment)
    assert isinstance(chain, Chain), chain
    assert restore(history, chain.links, chain.stop_at).rows == history.shown[moment]
    return chain


def types(chain: Chain) -> list[BackupType]:
    return [link.backup.type for link in chain.links]


@pytest.fixture
def history() -> DatabaseHistory:
    """A full backup, then a row and a log of it, twice."""
    made = DatabaseHistory()
    made.commit()
    made.full()
    for _ in range(2):
        made.commit()
        made.log()
    return made


def test_a_moment_within_a_log_is_reached_by_stopping_in_it(history: DatabaseHistory) -> None:
    history.commit()
    moment = history.now
    history.commit()
    history.log()
    chain = planned(history, moment)
    assert types(chain) == [FULL, LOG, LOG, LOG]
    assert chain.stop_at == chain.shows == moment


def test_the_end_of_a_log_needs_no_stop(history: DatabaseHistory) -> None:
    chain = planned(history, history.now)
    assert (types(chain), chain.stop_at) == ([FULL, LOG, LOG], None)


def test_moments_are_compared_in_utc(history: DatabaseHistory) -> None:
    moment = history.now.astimezone(timezone(timedelta(hours=13)))
    assert planned(history, moment).shows == history.now


def test_a_differential_spares_the_logs_before_it(history: DatabaseHistory) -> None:
    history.differential()
    history.commit()
    history.log()
    assert types(planned(history, history.now)) == [FULL, DIFFERENTIAL, LOG]


def test_a_full_backup_in_the_middle_breaks_no_chain_of_logs(history: DatabaseHistory) -> None:
    for copy_only in (True, False):
        middle = history.full(copy_only=copy_only)
        history.commit()
        history.log()
        assert planned(history, history.now).links[0].backup == middle
        without = [one for one in history.backups if one.type is LOG or one is history.backups[0]]
        assert types(planned(history, history.now, without)) == [FULL, *[LOG] * (len(without) - 1)]


def test_a_differential_upon_a_full_one_that_is_gone_is_of_no_use(history: DatabaseHistory) -> None:
    history.full()
    history.commit()
    history.differential()
    without = [one for one in history.backups if one.uuid != "full-3"]
    found = plan_chain(without, history.now)
    assert isinstance(found, Unreachable)
    assert found.before == history.backups[2].until


def test_a_missing_log_is_named_with_the_nearest_moments_on_both_sides(history: DatabaseHistory) -> None:
    first, missing = history.backups[1:3]
    history.commit()
    moment = history.now
    last = history.log()
    full = history.full()
    assert last
    without = [one for one in history.backups if one is not missing]
    found = plan_chain(without, moment)
    assert found == Unreachable(
        moment,
        before=first.until,
        after=full.until,
        why=f"the log of {last.point} begins at LSN {last.first_lsn} of recovery fork fork-0, and no backup that can "
        "be read leads there",
    )


def test_no_log_holds_what_was_lost_in_a_restore_without_a_tail(history: DatabaseHistory) -> None:
    full, log = history.backups[:2]
    history.commit()
    lost = history.now
    history.restore(full, history.contents[log.uuid], log.last_lsn, log.fork)
    restored_at = history.now
    history.commit()
    history.log()
    found = plan_chain(history.backups, lost)
    assert isinstance(found, Unreachable)
    assert (found.before, found.after) == (history.backups[2].until, restored_at)
    assert found.why == "no log holds the changes of that time"
    assert types(planned(history, restored_at)) == [FULL, LOG, LOG]


def test_a_fork_within_a_log_is_reached_by_stopping_where_it_leaves(history: DatabaseHistory) -> None:
    history.commit()
    position, rows = history.rows[-1].lsn, history.rows
    history.commit()
    tail = history.log()
    history.restore(history.backups[0], rows, position, "fork-0")
    history.commit()
    history.log()
    chain = planned(history, history.now)
    assert tail
    assert chain.links[-2] == ChainLink(tail, position)
    assert types(planned(history, tail.until)) == [FULL, LOG, LOG, LOG], "the old fork is there still"


def test_a_log_with_bulk_logged_changes_is_restored_whole_or_not_at_all(history: DatabaseHistory) -> None:
    before = history.now
    history.commit()
    moment = history.now
    history.log(bulk_logged=True)
    assert planned(history, history.now).stop_at is None
    found = plan_chain(history.backups, moment)
    assert isinstance(found, Unreachable)
    assert (found.before, found.after) == (before, history.now)
    assert "bulk-logged changes" in found.why


@pytest.mark.parametrize(
    ("minutes", "why"),
    [
        (100, "no backup reaches that moment yet"),
        (-100, "the first full backup that is kept is later"),
    ],
)
def test_a_moment_outside_of_all_backups_is_said_to_be(history: DatabaseHistory, minutes: int, why: str) -> None:
    found = plan_chain(history.backups, history.now + timedelta(minutes=minutes))
    assert isinstance(found, Unreachable)
    assert found.why == why
    assert (found.before is None) == (minutes < 0)
    assert (found.after is None) == (minutes > 0)


def test_without_a_full_backup_there_is_nothing(history: DatabaseHistory) -> None:
    logs = history.backups[1:]
    found = plan_chain(logs, history.now)
    assert isinstance(found, Unreachable)
    assert latest_chain(logs) is None
    assert plan_chain([], history.now) == Unreachable(
        history.now, None, None, "there is no full backup of the database that can be read"
    )


def test_the_latest_chain_ends_with_what_is_covered_last(history: DatabaseHistory) -> None:
    latest = latest_chain(history.backups)
    assert latest
    assert (types(latest), latest.shows) == ([FULL, LOG, LOG], history.now)
    full = history.full()
    assert latest_chain(history.backups) == Chain((ChainLink(full),), full.until)


def test_ten_thousand_backups_are_planned_along_the_latest_base() -> None:
    history = DatabaseHistory()
    for number in range(10_000):
        if number % 500 == 0:
            history.full()
        elif number % 100 == 0:
            history.differential()
        else:
            history.log()
    backups = [*history.backups[5_000:], *history.backups[:5_000]]
    moment = history.backups[9_990].until - timedelta(seconds=1)
    chain = plan_chain(backups, moment)
    assert isinstance(chain, Chain)
    assert types(chain) == [FULL, DIFFERENTIAL, *[LOG] * 90]
    assert all(after.backup.first_lsn <= one.backup.last_lsn for one, after in pairwise(chain.links[1:]))
