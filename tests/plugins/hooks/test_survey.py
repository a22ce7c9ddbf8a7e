"""What a survey and a check of a database tell before and after a restore."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from include.rules.errors import DamagedBackupError, PartError
from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.access import let_users_in, open_again
from perennial.hooks.sql_server.databases import DatabaseFacts, check, survey
from perennial.hooks.sql_server.users import OrphanedUser, orphaned_users
from tests.support.databases import DatabasesUnderTest, corrupt

pytestmark = pytest.mark.lab

STRANGE = "o'brien]; DROP -- [x] 100%"


def test_a_survey_tells_state_access_size_and_places(databases: DatabasesUnderTest) -> None:
    name = databases.make()
    facts = databases.talk(survey, name)
    assert (facts.state, facts.access) == ("ONLINE", "MULTI_USER")
    assert facts.files == {name: str(databases.files(name)[0]), f"{name}_log": str(databases.files(name)[1])}
    assert facts.size_bytes >= sum(path.stat().st_size for path in databases.files(name))
    assert Path(facts.limits.folders[0].data) == databases.files(name)[0].parent
    assert Path(facts.limits.folders[0].log) == databases.files(name)[1].parent
    assert facts.is_made_of(path.upper() for path in facts.files.values())


def test_a_survey_of_a_database_that_is_not_there_tells_the_servers_folders_alone(
    databases: DatabasesUnderTest,
) -> None:
    facts = databases.talk(survey, "never was")
    assert facts == DatabaseFacts(limits=facts.limits)
    assert facts.limits.folders


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
