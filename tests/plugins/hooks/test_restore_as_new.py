"""A restore as another database: what it never touches, and what it leaves where it fails or breaks off."""

from __future__ import annotations

from uuid import uuid4

import pytest

from include.rules.errors import DamagedBackupError, RefusedError
from perennial.hooks.sql_server.restore import restore_as_new
from tests.support import sweeps
from tests.support.databases import NEW, OLD, DatabasesUnderTest

pytestmark = pytest.mark.lab

STRANGE = "o'brien]; DROP -- [x] 100%"


def test_a_restore_as_another_database_touches_no_file_that_is_there(databases: DatabasesUnderTest) -> None:
    name, urls = databases.backed_up()
    copy = f"{STRANGE} of {name}"
    databases.talk(restore_as_new, copy, urls, stem=copy)
    assert databases.rows(copy) == OLD
    assert databases.rows(name) == NEW
    assert not {*databases.files(copy)} & {*databases.files(name)}
    assert {path.parent for path in databases.files(copy)} == {path.parent for path in databases.files(name)}


def test_a_file_that_belongs_to_no_database_is_left_alone(databases: DatabasesUnderTest) -> None:
    name, urls = databases.backed_up()
    copy = f"copy_{uuid4().hex}"
    stray = databases.files(name)[0].with_name(f"{copy}_{name}.mdf")
    stray.write_text("somebody wants this still")
    databases.talk(restore_as_new, copy, urls, stem=copy)
    assert databases.rows(copy) == OLD
    assert stray.read_text() == "somebody wants this still"


def test_a_database_that_exists_is_never_overwritten_under_another_name(databases: DatabasesUnderTest) -> None:
    name, urls = databases.backed_up()
    with pytest.raises(RefusedError, match=f"There is a database {name} already; it is ONLINE.*nothing was restored"):
        databases.talk(restore_as_new, name, urls, stem="another")
    assert databases.rows(name) == NEW


@pytest.mark.parametrize("leftover", ["restoring", "complete"])
def test_a_restore_as_another_database_goes_over_what_its_own_earlier_attempt_left(
    databases: DatabasesUnderTest, leftover: str
) -> None:
    name, urls = databases.backed_up()
    copy = f"copy_{uuid4().hex}"
    databases.talk(restore_as_new, copy, urls, stem=copy)
    if leftover == "restoring":
        databases.leave_restoring(copy)
    before = databases.files(copy)
    with databases.in_use(copy):
        databases.talk(restore_as_new, copy, urls, stem=copy)
    assert databases.rows(copy) == OLD
    assert databases.files(copy) == before
    assert databases.rows(name) == NEW


def test_a_restore_as_another_database_that_fails_leaves_nothing_of_it(databases: DatabasesUnderTest) -> None:
    name, urls = databases.backed_up()
    databases.damage(urls[0])
    copy = f"copy_{uuid4().hex}"
    with pytest.raises(DamagedBackupError, match=f"Database {copy} was not restored.*No other database was touched"):
        databases.talk(restore_as_new, copy, urls, stem=copy)
    assert databases.state(copy) == ""
    assert list(databases.files(name)[0].parent.glob(f"{copy}*")) == []


@sweeps.every(4)
def test_a_restore_as_another_database_crashed_at_any_statement_and_begun_again_ends_right(
    databases: DatabasesUnderTest,
    every: int,
) -> None:
    name, urls = databases.backed_up()
    crashes = 0
    for copy in databases.crash_at_statements(
        lambda: f"copy_{uuid4().hex}",
        lambda session, copy: restore_as_new(session, copy, urls, stem=copy),
        every,
    ):
        databases.talk(restore_as_new, copy, urls, stem=copy)
        assert databases.rows(copy) == OLD
        crashes += 1
    assert crashes > 16 // every
    assert databases.rows(name) == NEW
