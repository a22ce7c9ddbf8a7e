"""Chains of any history: whatever a server would restore is planned, and leads to exactly the rows of its moment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from include.rules.points.chain_plan import plan_chain
from include.rules.points.chains import BackupType, Chain, ChainLink, DatabaseBackup
from tests.unit.points.database_history import DatabaseHistory, RefusedByServerError, restore

FULL, LOG = BackupType.FULL, BackupType.LOG

DEEDS = ("commit", "full", "copy", "differential", "log", "bulk", "restore")


@st.composite
def histories(draw: st.DrawFn) -> DatabaseHistory:
    history = DatabaseHistory()
    history.full()
    for deed in draw(st.lists(st.sampled_from(DEEDS), min_size=1, max_size=14)):
        if deed == "restore":
            _restore_somewhere(history, draw)
        elif deed in ("full", "copy"):
            history.full(copy_only=deed == "copy")
        elif deed in ("log", "bulk"):
            history.log(bulk_logged=deed == "bulk")
        else:
            getattr(history, deed)()
    return history


def _restore_somewhere(history: DatabaseHistory, draw: st.DrawFn) -> None:
    """A restore to some moment that can be restored: the planner's own way there is carried out."""
    chain = plan_chain(history.backups, draw(st.sampled_from(sorted(history.shown))))
    if isinstance(chain, Chain):
        state = restore(history, chain.links, chain.stop_at)
        lsn = max([state.lsn, *(row.lsn for row in state.rows)])
        history.restore(chain.links[0].backup, state.rows, lsn, state.fork)


def sequences(backups: Sequence[DatabaseBackup], history: DatabaseHistory) -> Iterator[list[ChainLink]]:
    """Every sequence that a server would carry out, logs that a later fork leaves stopped there."""
    pending = [[ChainLink(one)] for one in backups if one.type is FULL]
    while pending:
        links = pending.pop()
        yield links
        for one in backups:
            if one.type is FULL or any(link.backup is one for link in links):
                continue
            last = links[-1]
            stops = [last.stop_lsn]
            if one.left_fork and last.backup.type is LOG and last.backup.last_lsn > one.fork_lsn:
                stops = [one.fork_lsn]
            longer = [*links[:-1], ChainLink(last.backup, stops[0]), ChainLink(one)]
            try:
                restore(history, longer)
            except RefusedByServerError:
                continue
            pending.append(longer)


@given(history=histories(), data=st.data())
def test_whatever_can_be_restored_is_planned_and_leads_to_exactly_the_rows_of_that_moment(
    history: DatabaseHistory, data: st.DataObject
) -> None:
    backups = data.draw(st.lists(st.sampled_from(history.backups), unique=True, max_size=7), label="that are kept")
    moment = data.draw(st.sampled_from(sorted(history.shown)), label="moment")
    found = plan_chain(backups, moment)
    assert plan_chain(backups[::-1], moment) == found, "the order of the backups does not matter"
    ways = [links for links in sequences(backups, history) if _reaches(links, moment)]
    if isinstance(found, Chain):
        assert restore(history, found.links, found.stop_at).rows == history.shown[moment]
        assert found.shows == moment
        assert ways
        if not any(one.left_fork for one in backups):  # LSNs of one fork can be compared
            assert _data_lsn(found.links) == max(map(_data_lsn, ways)), "the latest base that serves"
    else:
        assert ways == []
        assert found.before is None or isinstance(plan_chain(backups, found.before), Chain)
        assert found.after is None or isinstance(plan_chain(backups, found.after), Chain)
        reachable = [one for one in history.shown if isinstance(plan_chain(backups, one), Chain)]
        assert all(one <= found.before for one in reachable if found.before and one < moment)
        assert all(found.after and one >= found.after for one in reachable if one > moment)


def _reaches(links: Sequence[ChainLink], moment: datetime) -> bool:
    last = links[-1].backup
    if last.until == moment:
        return True
    if last.type is not LOG or last.bulk_logged or not last.since or not last.since <= moment <= last.until:
        return False
    before = links[-2].backup
    return before.type is LOG or before.until <= moment


def _data_lsn(links: Sequence[ChainLink]) -> int:
    return max(link.backup.last_lsn for link in links if link.backup.type is not LOG)
