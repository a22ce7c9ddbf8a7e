"""What an hourly backup is: the log where the chain goes on, else the cheapest backup that begins it again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.rules.backup.hourly import LogChain, NextBackup, RecoveryModel, next_backup
from include.rules.points.chain_plan import latest_chain
from include.rules.points.chains import BackupType
from tests.unit.points.database_history import DatabaseHistory

FULL, DIFFERENTIAL, LOG = BackupType.FULL, BackupType.DIFFERENTIAL, BackupType.LOG


@pytest.fixture
def history() -> DatabaseHistory:
    made = DatabaseHistory()
    made.full()
    made.commit()
    made.log()
    made.commit()
    return made


def chain_of(history: DatabaseHistory) -> LogChain:
    """What the server says of the database."""
    left_fork, fork_lsn = history.left
    return LogChain(
        RecoveryModel.FULL, history.fork, history.log_lsn, left_fork=left_fork, fork_lsn=fork_lsn, base=history.base
    )


def test_the_log_goes_on_from_what_the_vault_has(history: DatabaseHistory) -> None:
    assert next_backup(chain_of(history), history.backups) == NextBackup(LOG)


def test_a_log_in_which_nothing_happened_is_left_out(history: DatabaseHistory) -> None:
    assert next_backup(replace(chain_of(history), has_news=False), history.backups) == NextBackup(None)


def test_without_any_backup_the_chain_begins_with_a_full_one() -> None:
    nothing = LogChain(RecoveryModel.FULL, "fork-0", None)
    assert next_backup(nothing, []) == NextBackup(FULL, "the database keeps no log: no backup has begun its chain yet")


def test_after_the_simple_model_a_differential_begins_the_log_where_its_base_is_held(history: DatabaseHistory) -> None:
    found = next_backup(replace(chain_of(history), log_lsn=None), history.backups)
    assert (found.type, "keeps no log" in found.why) == (DIFFERENTIAL, True)


def test_what_somebody_else_has_taken_of_the_log_is_a_gap(history: DatabaseHistory) -> None:
    history.commit()
    history.log()  # somebody else's
    ours = history.backups[:-1]
    found = next_backup(chain_of(history), ours)
    assert found.type is DIFFERENTIAL
    assert f"begins at LSN {history.log_lsn}" in found.why
    assert f"reaches LSN {ours[-1].last_lsn}" in found.why


def test_a_gap_whose_base_is_not_held_wants_a_full_backup(history: DatabaseHistory) -> None:
    history.full()  # somebody else's: the base of differentials from now on
    history.log()
    found = next_backup(chain_of(history), history.backups[:2])
    assert found.type is FULL
    assert "begins at LSN" in found.why
    assert "(full-2) is not in the vault" in found.why


def test_a_full_backup_of_somebody_else_does_not_break_the_log(history: DatabaseHistory) -> None:
    history.full()
    assert next_backup(chain_of(history), history.backups[:2]) == NextBackup(LOG)


def test_the_log_goes_on_after_a_restore_from_the_vault(history: DatabaseHistory) -> None:
    full, log = history.backups
    history.restore(full, history.contents[log.uuid], log.last_lsn, log.fork)
    assert next_backup(chain_of(history), history.backups) == NextBackup(LOG)
    assert next_backup(chain_of(history), []).type is FULL


@pytest.mark.parametrize(("model", "prefers"), [(RecoveryModel.SIMPLE, LOG), (RecoveryModel.FULL, DIFFERENTIAL)])
def test_without_logs_it_is_a_differential_upon_the_full_backup_that_is_held(
    history: DatabaseHistory, model: RecoveryModel, prefers: BackupType
) -> None:
    chain = replace(chain_of(history), recovery_model=model)
    assert next_backup(chain, history.backups, prefers=prefers) == NextBackup(DIFFERENTIAL)
    moved = next_backup(replace(chain, base="stranger"), history.backups, prefers=prefers)
    assert (moved.type, "(stranger) is not in the vault" in moved.why) == (FULL, True)


@given(data=st.data())
def test_whatever_became_of_the_vault_the_next_backup_reaches_now(data: st.DataObject) -> None:
    history = DatabaseHistory()
    history.full()
    deeds = data.draw(st.lists(st.sampled_from(["commit", "full", "differential", "log"]), max_size=10))
    for deed in deeds:
        getattr(history, deed)()
    history.commit()
    held = data.draw(st.lists(st.sampled_from(history.backups), unique=True))
    found = next_backup(chain_of(history), held)
    assert found.type
    made = {FULL: history.full, DIFFERENTIAL: history.differential, LOG: history.log}[found.type]()
    assert made
    latest = latest_chain([*held, made])
    assert latest
    assert latest.shows == history.now
