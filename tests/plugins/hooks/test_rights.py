"""Which rights the login lacks is known in one statement, and the README lists just those that there are."""

from __future__ import annotations

import re
import threading
from contextlib import ExitStack

import pytest

from lab.testing.sql_server import LabSqlServer, run_on
from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.rights import (
    ENDS_SESSIONS,
    OWNS_DATABASE,
    RESTORES,
    RIGHTS,
    SEES_LOGINS,
    SEES_SESSIONS,
    Right,
    missing_rights,
)
from perennial.hooks.sql_server.session import Session
from perennial.hooks.sql_server.users import orphaned_users
from tests.support.databases import DatabasesUnderTest
from tests.support.logins import README, ReadmeLogin, readme_statements

SCAFFOLD = ("CREATE LOGIN", "CREATE USER", "USE ")


def missing(login: ReadmeLogin, database: str = "", **options: str) -> tuple[Right, ...]:
    with login.server.connect(**(options or login.connect_options)) as connection:
        return missing_rights(Session(connection, threading.Event()), database or login.database)


def granted(right: Right) -> str:
    return right.grant.replace("<login>", "[perennial]")


def test_the_readme_gives_just_the_rights_that_are_asked_for_and_says_what_each_is_for() -> None:
    assert [s for s in readme_statements() if not s.startswith(SCAFFOLD)] == [granted(right) for right in RIGHTS]
    rows = re.findall(r"^ +\| (.+?) \| (.+?) \|$", README.read_text(), re.MULTILINE)
    table = dict(rows[[name for name, _ in rows].index("right") + 2 :])
    assert {right.name: right.purpose for right in RIGHTS}.items() <= table.items()


@pytest.mark.lab
def test_the_readmes_login_lacks_nothing_and_each_right_that_it_is_not_given(lab_sql_server: LabSqlServer) -> None:
    database = lab_sql_server.new_database()
    assert missing(ReadmeLogin.make(lab_sql_server, database)) == ()
    for right in RIGHTS:
        assert missing(ReadmeLogin.make(lab_sql_server, database, but_for=granted(right))) == (right,)


@pytest.mark.lab
def test_an_administrator_lacks_nothing(lab_sql_server: LabSqlServer) -> None:
    database = lab_sql_server.new_database()
    settings = lab_sql_server.settings
    login = ReadmeLogin(lab_sql_server, settings.sql_user, database)
    assert missing(login, user=settings.sql_user, password=settings.sql_password) == ()


@pytest.mark.lab
def test_what_only_a_closed_or_an_unknown_database_could_answer_is_not_called_missing(
    lab_sql_server: LabSqlServer,
) -> None:
    database = lab_sql_server.new_database()
    login = ReadmeLogin.make(lab_sql_server, database, but_for=granted(OWNS_DATABASE))
    lab_sql_server.run(f"ALTER DATABASE [{database}] SET OFFLINE")
    assert missing(login) == ()
    assert missing(login, "nobody's") == ()


@pytest.mark.lab
def test_a_login_that_may_make_databases_and_not_restore_over_this_one_is_told_apart(
    lab_sql_server: LabSqlServer,
) -> None:
    database = lab_sql_server.new_database()
    login = ReadmeLogin.make(lab_sql_server, database, but_for=granted(RESTORES))
    lab_sql_server.run(f"GRANT CREATE ANY DATABASE TO [{login.name}]", f"GRANT ALTER ANY DATABASE TO [{login.name}]")
    assert missing(login) == (RESTORES,)


def refusal(session: Session, statement: str) -> str:
    with pytest.raises(SqlServerError) as caught:
        session.run(statement)
    return str(caught.value)


@pytest.mark.lab
def test_without_each_of_the_rights_something_does_not_go(databases: DatabasesUnderTest) -> None:
    name, urls = databases.backed_up()
    restore = tsql.restore_database(name, urls, {}, replace=True)
    with databases.server.connect(appname="somebody") as other:
        ((somebody,),) = run_on(other, "SELECT @@SPID")

        def without(right: Right) -> Session:
            login = ReadmeLogin.make(databases.server, name, but_for=granted(right))
            session: Session = sessions.enter_context(databases.session(login=login.connect_options))
            return session

        with ExitStack() as sessions:
            restores = without(RESTORES)
            assert "CREATE DATABASE permission denied" in refusal(restores, tsql.file_list(urls))
            assert "does not have permission to RESTORE" in refusal(restores, restore)
            assert without(SEES_SESSIONS).run(tsql.running_sessions("somebody")) == []
            assert "does not have permission to use the KILL" in refusal(without(ENDS_SESSIONS), tsql.kill(somebody))
            assert orphaned_users(without(SEES_LOGINS), name) is None
            owns = without(OWNS_DATABASE)
            assert "does not have permission to run DBCC CHECKDB" in refusal(owns, tsql.check_database(name))
            backup = refusal(owns, tsql.backup_database(name, urls, "x", copy_only=True))
            assert "BACKUP DATABASE permission denied" in backup
