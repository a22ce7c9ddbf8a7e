"""Which rights the login lacks is known in one statement, and the README lists just those that there are."""

from __future__ import annotations

import re
import threading

import pytest

from lab.testing.sql_server import LabSqlServer
from perennial.hooks.sql_server.rights import OWNS_DATABASE, RESTORES, RIGHTS, Right, missing_rights
from perennial.hooks.sql_server.session import Session
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
