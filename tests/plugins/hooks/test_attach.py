"""Databases made of files from a snapshot, on the lab's SQL Server: they take a place only once they are sound."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from include.rules.errors import DamagedBackupError, PartError, RefusedError
from perennial.hooks.sql_server import attach, tsql
from perennial.hooks.sql_server.attach import attach_as_new, attach_beside, put_in_place
from perennial.hooks.sql_server.databases import check
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.session import Session
from tests.support import sweeps
from tests.support.databases import NEW, OLD, DatabasesUnderTest, corrupt
from tests.support.waits import shorten

pytestmark = pytest.mark.lab

STRANGE = "o'brien]; DROP -- [x] 100%"


def attach_in_place_of(session: Session, database: str, files: Sequence[str], scratch: str) -> None:
    """Both halves of it, as a restore begins them one after the other."""
    attach_beside(session, database, files, scratch)
    put_in_place(session, database, files, scratch)


def snapshotted(databases: DatabasesUnderTest, name: str = "") -> tuple[str, list[str], str]:
    """A database whose rows have changed since the snapshot, the snapshot's files, and a free name."""
    database = databases.make(name)
    files = databases.copied(database)
    databases.write(database, NEW)
    return database, files, f"{database} scratch"


@pytest.mark.parametrize("state", ["online", "offline", "restoring", "without files", "gone"])
def test_files_of_a_snapshot_take_the_place_of_a_database_whatever_state_it_is_in(
    databases: DatabasesUnderTest, state: str
) -> None:
    name, files, scratch = snapshotted(databases, STRANGE)
    before = databases.files(name)
    databases.bring_into(state, name)
    databases.talk(attach_in_place_of, name, files, scratch)
    assert databases.rows(name) == OLD
    assert databases.files(name) == [Path(file) for file in files]
    assert databases.state(scratch) == ""
    undeleted = before[1:] if state == "without files" else []  # of what cannot be opened, SQL Server deletes nothing
    assert [path for path in before if path.exists()] == undeleted
    databases.talk(check, name)


def test_clients_that_connect_again_at_once_do_not_keep_a_database_from_being_replaced(
    databases: DatabasesUnderTest,
) -> None:
    name, files, scratch = snapshotted(databases)
    with databases.in_use(name):
        databases.talk(attach_in_place_of, name, files, scratch)
    assert databases.rows(name) == OLD


def test_somebody_in_the_scratch_database_is_put_out(databases: DatabasesUnderTest) -> None:
    name, files, scratch = snapshotted(databases)
    databases.server.run(tsql.attach_database(scratch, files))
    with databases.in_use(scratch):
        databases.talk(attach_in_place_of, name, files, scratch)
    assert databases.rows(name) == OLD


def test_what_has_been_done_is_seen_and_left_alone(databases: DatabasesUnderTest) -> None:
    name, files, scratch = snapshotted(databases)
    databases.talk(attach_in_place_of, name, files, scratch)
    databases.write(name, NEW)
    databases.talk(attach_in_place_of, name, files, scratch)
    assert databases.rows(name) == NEW


def test_files_that_only_once_seemed_damaged_are_attached(
    databases: DatabasesUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attach, "SECOND_LOOK", 0.1)
    name, files, scratch = snapshotted(databases)
    with databases.server.failing("sql:CheckDatabase", number=8939):
        databases.talk(attach_in_place_of, name, files, scratch)
    assert databases.rows(name) == OLD


@pytest.mark.parametrize(("number", "severity"), [(8902, 17), (2571, 14), (8921, 16), (823, 24)])
def test_a_check_that_could_not_be_made_drops_nothing(
    databases: DatabasesUnderTest, number: int, severity: int
) -> None:
    name, files, scratch = snapshotted(databases)
    rule = {"number": number, "severity": severity, "message": "The check was not made: error 1450(resources)."}
    with (
        databases.server.failing("sql:CheckDatabase", times=None, **rule),
        pytest.raises((PartError, SqlServerError)) as caught,
    ):
        databases.talk(attach_in_place_of, name, files, scratch)
    assert not isinstance(caught.value, DamagedBackupError)
    assert databases.state(scratch) == "ONLINE MULTI_USER"
    assert databases.rows(name) == NEW


def test_damaged_files_are_dropped_and_the_standing_database_is_not_touched(
    databases: DatabasesUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attach, "SECOND_LOOK", 0.1)
    name, files, scratch = snapshotted(databases)
    corrupt(files[0])
    with databases.server.connect(name), pytest.raises(DamagedBackupError) as caught:
        databases.talk(attach_in_place_of, name, files, scratch)
    assert "did not pass their check: SQL Server error 8939" in str(caught.value)
    assert f"They are damaged and were dropped. Database {name} was not touched." in str(caught.value)
    assert databases.rows(name) == NEW
    assert databases.state(scratch) == ""
    assert not Path(files[0]).exists()


def test_files_that_are_no_databases_are_refused_and_the_standing_database_is_not_touched(
    databases: DatabasesUnderTest,
) -> None:
    name, files, scratch = snapshotted(databases)
    Path(files[0]).write_text("no database at all " * 1000)
    with pytest.raises(DamagedBackupError, match=f"could not be attached.*Database {name} was not touched"):
        databases.talk(attach_in_place_of, name, files, scratch)
    with pytest.raises(PartError, match=f"could not be attached.*Database {name} was not touched") as caught:
        databases.talk(attach_in_place_of, name, [f"{file}.gone" for file in files], scratch)
    assert not isinstance(caught.value, DamagedBackupError)
    assert databases.rows(name) == NEW


def test_sound_files_that_cannot_take_their_place_yet_stay_attached_and_the_message_says_where(
    databases: DatabasesUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, files, scratch = snapshotted(databases)
    databases.server.run(tsql.attach_database(scratch, files))
    with databases.server.connect(scratch), monkeypatch.context() as patched:
        shorten(patched, "USERS_OUT", 0)
        with pytest.raises(PartError, match=f"could not take the place of database {name}: SQL Server") as caught:
            databases.talk(attach_in_place_of, name, files, scratch)
    assert f"They are sound, and attached as database {scratch}. Database {name} is not there." in str(caught.value)
    databases.talk(attach_in_place_of, name, files, scratch)
    assert databases.rows(name) == OLD


@pytest.mark.parametrize("scratch_is", ["gone", "offline", "another"])
def test_a_database_is_dropped_only_for_one_that_is_there_to_take_its_place(
    databases: DatabasesUnderTest, scratch_is: str
) -> None:
    name, files, scratch = snapshotted(databases)
    databases.talk(attach_beside, name, files, scratch)
    statements = {"gone": tsql.drop_database(scratch), "offline": tsql.set_access(scratch, tsql.OFFLINE)}
    if scratch_is == "another":
        scratch = databases.make(rows=NEW)
    else:
        databases.server.run(statements[scratch_is])
    with pytest.raises(PartError, match=f"{scratch}, made of the files .* not online.*database {name}, which is left"):
        databases.talk(put_in_place, name, files, scratch)
    assert databases.rows(name) == NEW
    assert databases.state(name) == "ONLINE MULTI_USER"


def test_a_stranger_of_the_scratch_name_is_never_overwritten(databases: DatabasesUnderTest) -> None:
    name, files, _ = snapshotted(databases)
    stranger = databases.make(rows=NEW)
    with pytest.raises(RefusedError, match=f"There is a database {stranger} already, and it is not made of the files"):
        databases.talk(attach_in_place_of, name, files, stranger)
    with pytest.raises(RefusedError, match=f"There is a database {stranger} already"):
        databases.talk(attach_as_new, stranger, files)
    assert databases.rows(name) == databases.rows(stranger) == NEW


@sweeps.every(4)
def test_an_attaching_in_place_crashed_at_any_statement_and_begun_again_ends_right(
    databases: DatabasesUnderTest,
    every: int,
) -> None:
    crashes = 0
    for name, files, scratch in databases.crash_at_statements(
        lambda: snapshotted(databases), lambda session, case: attach_in_place_of(session, *case), every
    ):
        databases.talk(attach_in_place_of, name, files, scratch)
        assert databases.rows(name) == OLD
        assert databases.files(name) == [Path(file) for file in files]
        assert databases.state(scratch) == ""
        crashes += 1
    assert crashes > 24 // every


def test_files_of_a_snapshot_become_another_database_beside_the_first(databases: DatabasesUnderTest) -> None:
    name, files, _ = snapshotted(databases)
    copy = f"{STRANGE} {uuid4().hex}"
    databases.talk(attach_as_new, copy, files)
    databases.talk(attach_as_new, copy, files)
    assert databases.rows(copy) == OLD
    assert databases.rows(name) == NEW


@sweeps.every(4)
def test_an_attaching_as_another_database_crashed_at_any_statement_and_begun_again_ends_right(
    databases: DatabasesUnderTest,
    every: int,
) -> None:
    crashes = 0
    for name, files, copy in databases.crash_at_statements(
        lambda: snapshotted(databases), lambda session, case: attach_as_new(session, case[2], case[1]), every
    ):
        databases.talk(attach_as_new, copy, files)
        assert databases.rows(copy) == OLD
        assert databases.rows(name) == NEW
        crashes += 1
    assert crashes > 12 // every
