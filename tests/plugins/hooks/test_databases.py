"""What a restore does to a database on the lab's SQL Server: whatever state it is in, and wherever it is broken off."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from include.rules.errors import DamagedBackupError, PartError, RefusedError
from lab.testing.deadlines import within
from perennial.hooks.sql_server import access, tsql
from perennial.hooks.sql_server.access import claim, let_users_in, open_again
from perennial.hooks.sql_server.databases import DatabaseFacts, check, survey
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.restore import restore_as_new, restore_over
from perennial.hooks.sql_server.users import OrphanedUser, orphaned_users
from tests.support import sweeps
from tests.support.databases import NEW, OLD, DatabasesUnderTest, corrupt

pytestmark = pytest.mark.lab

STRANGE = "o'brien]; DROP -- [x] 100%"
LEFT = {"online": "ONLINE", "offline": "OFFLINE", "restoring": "RESTORING", "without files": "OFFLINE", "gone": ""}


def test_a_survey_tells_state_access_size_and_places(databases: DatabasesUnderTest) -> None:
    name = databases.make()
    facts = databases.talk(survey, name)
    assert (facts.state, facts.access) == ("ONLINE", "MULTI_USER")
    assert facts.files == {name: str(databases.files(name)[0]), f"{name}_log": str(databases.files(name)[1])}
    assert facts.size_bytes >= sum(path.stat().st_size for path in databases.files(name))
    assert Path(facts.data_folder) == databases.files(name)[0].parent
    assert Path(facts.log_folder) == databases.files(name)[1].parent
    assert facts.is_made_of(path.upper() for path in facts.files.values())


def test_a_survey_of_a_database_that_is_not_there_tells_the_servers_folders_alone(
    databases: DatabasesUnderTest,
) -> None:
    facts = databases.talk(survey, "never was")
    assert facts == DatabaseFacts(data_folder=facts.data_folder, log_folder=facts.log_folder)
    assert facts.data_folder


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
    with pytest.raises(DamagedBackupError, match="is online and open to its users, as it was"):
        databases.talk(restore_over, name, urls)
    assert databases.rows(name) == NEW


def test_a_backup_that_is_not_there_leaves_the_database_as_it_was_and_open(databases: DatabasesUnderTest) -> None:
    name, urls = databases.backed_up()
    with pytest.raises(PartError, match="is online and open to its users, as it was") as caught:
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
    monkeypatch.setattr(access, "LOCK_SECONDS", 0)
    with databases.session() as first:
        claim(first, name)
        with pytest.raises(RefusedError, match=rf"Another restore is at work on database {name}\..*touched nothing"):
            databases.talk(restore_over, name, urls)
        with pytest.raises(RefusedError, match="touched nothing"):  # names of databases know no case
            databases.talk(restore_over, name.upper(), urls)
    assert databases.rows(name) == NEW


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


def test_a_database_that_cannot_be_opened_is_named_with_its_state(databases: DatabasesUnderTest) -> None:
    name = databases.make()
    databases.leave_without_files(name)
    assert databases.talk(let_users_in, name) == f"Database {name} is OFFLINE."
    assert databases.talk(let_users_in, "never was") == "Database never was is not there."
    with pytest.raises(PartError, match=f"Database {name} is OFFLINE. It has come back, and SQL Server does not open"):
        databases.talk(open_again, name)


def test_a_check_says_what_keeps_users_from_working(databases: DatabasesUnderTest) -> None:
    name = databases.make()
    databases.talk(check, name)
    databases.server.run(tsql.set_access(name, tsql.SINGLE_USER))
    with pytest.raises(PartError, match=f"Database {name} is ONLINE SINGLE_USER. Its users cannot work"):
        databases.talk(check, name)
    with pytest.raises(PartError, match="Database never was is not there"):
        databases.talk(check, "never was")


def test_a_check_tells_a_damaged_database(databases: DatabasesUnderTest) -> None:
    name = databases.make(rows=[(number, "x" * 100) for number in range(900)])
    data, _ = databases.files(name)
    databases.server.run(tsql.set_access(name, tsql.OFFLINE))
    corrupt(str(data))
    databases.server.run(tsql.set_access(name, tsql.ONLINE))
    with pytest.raises(DamagedBackupError, match=f"Database {name} did not pass its check: SQL Server error 8939"):
        databases.talk(check, name)


def test_users_whose_login_is_gone_are_named_with_what_lets_them_in_again(databases: DatabasesUnderTest) -> None:
    name = databases.make(STRANGE)
    known, lost, remade = (f"{kind}]' {uuid4().hex[:8]}" for kind in ("known", "lost", "remade"))
    for login in (known, lost, remade):
        databases.server.run(f"CREATE LOGIN {tsql.name(login)} WITH PASSWORD = N'Secret-{uuid4()}'")
        databases.server.run(f"CREATE USER {tsql.name(login)} FOR LOGIN {tsql.name(login)}", database=name)
    statement = f"SELECT sid FROM sys.database_principals WHERE name = {tsql.text(lost)}"
    ((sid,),) = databases.server.run(statement, database=name)
    for login in (lost, remade):
        databases.server.run(f"DROP LOGIN {tsql.name(login)}")
    databases.server.run(f"CREATE LOGIN {tsql.name(remade)} WITH PASSWORD = N'Secret-{uuid4()}'")
    assert databases.talk(orphaned_users, name) == (
        OrphanedUser(lost, None, tsql.create_login(lost, sid)),
        OrphanedUser(remade, remade, tsql.map_user(name, remade, remade)),
    )
