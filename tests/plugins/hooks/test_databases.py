"""What a restore does to the database that it goes over: whatever state it is in, and wherever it is broken off."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from include.rules.errors import DamagedBackupError, PartError, RefusedError
from lab.testing.deadlines import within
from perennial.hooks.sql_server import restore, tsql
from perennial.hooks.sql_server.access import claim
from perennial.hooks.sql_server.databases import check
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.session import Session
from tests.support import sweeps
from tests.support.databases import NEW, OLD, DatabasesUnderTest
from tests.support.waits import shorten

pytestmark = pytest.mark.lab


def restore_over(session: Session, name: str, urls: Sequence[str]) -> None:
    restore.restore_over(session, name, urls, stem="acme_20261123T120000Z")


STRANGE = "o'brien]; DROP -- [x] 100%"

LEFT = {"online": "ONLINE", "offline": "OFFLINE", "restoring": "RESTORING", "without files": "OFFLINE", "gone": ""}


@pytest.mark.parametrize("state", LEFT)
def test_a_database_comes_back_whatever_state_it_is_in(databases: DatabasesUnderTest, state: str) -> None:
    name, urls = databases.backed_up(STRANGE)
    databases.bring_into(state, name)
    assert databases.state(name).startswith(LEFT[state])
    databases.talk(restore_over, name, urls)
    assert databases.rows(name) == OLD
    databases.talk(check, name)


def test_a_database_comes_back_from_all_its_stripes(databases: DatabasesUnderTest) -> None:
    name, urls = databases.backed_up(stripes=3)
    databases.talk(restore_over, name, urls)
    assert databases.rows(name) == OLD


def test_clients_that_connect_again_at_once_never_get_in_the_way_of_a_restore(databases: DatabasesUnderTest) -> None:
    name, urls = databases.backed_up()
    with databases.in_use(name), databases.server.slowed(restore_seconds=0.3):
        for _ in range(2):
            while not databases.server.run(tsql.sessions_inside(name)):
                time.sleep(0.01)
            databases.talk(restore_over, name, urls)
    assert databases.rows(name) == OLD


def test_whoever_holds_the_only_place_of_a_single_user_database_is_put_out(databases: DatabasesUnderTest) -> None:
    name, urls = databases.backed_up()
    with databases.server.connect(name) as inside:
        with inside.cursor() as cursor:
            cursor.execute(tsql.set_access(name, tsql.SINGLE_USER))
        databases.talk(restore_over, name, urls)
    assert databases.rows(name) == OLD


def test_a_backup_of_a_single_user_database_is_open_to_all_once_it_is_restored(databases: DatabasesUnderTest) -> None:
    name = databases.make()
    databases.server.run(tsql.set_access(name, tsql.SINGLE_USER))
    urls = databases.back_up(name)
    with databases.in_use(name, clients=1):
        databases.talk(restore_over, name, urls)
    assert databases.rows(name) == OLD


def test_another_tenants_backup_comes_back_without_touching_that_tenant(databases: DatabasesUnderTest) -> None:
    theirs, urls = databases.backed_up()
    name = databases.make(STRANGE, NEW)
    databases.talk(restore_over, name, urls)
    assert databases.rows(name) == OLD
    assert databases.rows(theirs) == NEW
    assert not {*databases.files(name)} & {*databases.files(theirs)}


def test_a_damaged_backup_is_told_apart_and_the_message_says_what_is_where(databases: DatabasesUnderTest) -> None:
    name, urls = databases.backed_up()
    databases.damage(urls[0])
    with pytest.raises(DamagedBackupError) as caught:
        databases.talk(restore_over, name, urls)
    message = str(caught.value)
    assert message.startswith(f"Database {name} was not restored: SQL Server error 3189: Damage to the backup set")
    assert f"Database {name} is RESTORING." in message
    assert "Restore the database from the snapshot of its volume" in message


def test_a_backup_whose_header_is_damaged_leaves_the_database_as_it_was_and_open(
    databases: DatabasesUnderTest,
) -> None:
    name, urls = databases.backed_up()
    databases.damage(urls[0], part=0)
    with pytest.raises(DamagedBackupError, match="is online and open to its users"):
        databases.talk(restore_over, name, urls)
    assert databases.rows(name) == NEW


def test_a_backup_that_is_not_there_leaves_the_database_as_it_was_and_open(databases: DatabasesUnderTest) -> None:
    name, urls = databases.backed_up()
    with pytest.raises(PartError, match="is online and open to its users") as caught:
        databases.talk(restore_over, name, [f"{urls[0]}.gone"])
    assert not isinstance(caught.value, DamagedBackupError)
    assert databases.rows(name) == NEW


@sweeps.every(4)
def test_a_restore_in_place_crashed_at_any_statement_and_begun_again_ends_right(
    databases: DatabasesUnderTest, every: int
) -> None:
    crashes = 0
    for name, urls in databases.crash_at_statements(
        databases.backed_up, lambda session, case: restore_over(session, *case), every
    ):
        databases.talk(restore_over, name, urls)
        assert databases.rows(name) == OLD
        crashes += 1
    assert crashes > 20 // every


def test_a_restore_killed_while_bytes_flow_and_begun_again_ends_right(databases: DatabasesUnderTest) -> None:
    name, urls = databases.backed_up()
    with databases.server.slowed(restore_seconds=30), databases.session() as session:
        number = session.run("SELECT @@SPID AS number")[0]["number"]
        with ThreadPoolExecutor() as pool:
            restoring = pool.submit(restore_over, session, name, urls)
            while not databases.state(name).startswith("RESTORING"):
                time.sleep(0.02)
            databases.server.run(f"KILL {number}")
            with pytest.raises(SqlServerError) as caught:
                restoring.result(within(30))
    assert caught.value.lost_connection
    assert databases.state(name).startswith("RESTORING")
    databases.talk(restore_over, name, urls)
    assert databases.rows(name) == OLD


def test_of_two_restores_of_one_database_the_second_waits_for_the_first(databases: DatabasesUnderTest) -> None:
    name, urls = databases.backed_up()
    other = databases.back_up(name)
    with databases.server.slowed(restore_seconds=0.5), ThreadPoolExecutor() as pool:
        both = [pool.submit(databases.talk, restore_over, name, source) for source in (urls, other)]
        for one in both:
            one.result(within(60))
    assert databases.rows(name) in (OLD, NEW)


def test_a_restore_that_would_have_to_wait_too_long_is_refused(
    databases: DatabasesUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, urls = databases.backed_up()
    shorten(monkeypatch, "RESTORE_LOCK", 0)
    with databases.session() as first:
        claim(first, name)
        with pytest.raises(RefusedError, match=rf"Another restore is at work on database {name}\..*touched nothing"):
            databases.talk(restore_over, name, urls)
        with pytest.raises(RefusedError, match="touched nothing"):  # names of databases know no case
            databases.talk(restore_over, name.upper(), urls)
    assert databases.rows(name) == NEW
