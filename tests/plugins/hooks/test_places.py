"""Where a restore lays files: over nobody else's, whichever way it goes, and elsewhere when a drive is gone."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from include.rules.restore.database_places import Folders
from include.rules.restore.database_survey import Need, ServerLimits
from lab.testing.sql_server import LabSqlServer
from perennial.hooks.sql_server import databases as databases_module
from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.databases import server_limits
from perennial.hooks.sql_server.needs import lacking
from perennial.hooks.sql_server.restore import restore_as_new, restore_over
from perennial.hooks.sql_server.session import Row, Session
from perennial.hooks.sql_server.volumes import free_bytes, gone_folders
from tests.support.databases import NEW, OLD, DatabasesUnderTest
from tests.support.logins import ReadmeLogin

pytestmark = pytest.mark.lab


def own_stem() -> str:
    return f"acme_{uuid4().hex[:12]}"


@pytest.mark.parametrize("restore", [restore_over, restore_as_new])
def test_a_file_that_belongs_to_no_database_is_overwritten_by_neither_way(
    databases: DatabasesUnderTest, restore: Callable[..., None]
) -> None:
    source, urls = databases.backed_up()
    name, folder = f"fresh_{uuid4().hex[:8]}", databases.files(source)[0].parent
    names = (f"{name}.mdf", f"{name}_{source}.mdf", f"{name}_{source}_log.ldf", f"{name}_log.ldf")
    strays = [folder / stray for stray in names]
    for stray in strays:
        stray.write_text("somebody wants this still")
    databases.talk(restore, name, urls, stem=own_stem())
    assert databases.rows(name) == OLD
    assert {stray.read_text() for stray in strays} == {"somebody wants this still"}


def test_a_database_that_gets_another_ones_backup_lays_its_new_files_over_nobodys(
    databases: DatabasesUnderTest,
) -> None:
    _, urls = databases.backed_up()
    name = databases.make(rows=NEW)
    other = urls_logical_names(databases, urls)
    stray = databases.files(name)[0].with_name(f"{name}_{other[0]}.mdf")
    stray.write_text("a detached database")
    databases.talk(restore_over, name, urls, stem=own_stem())
    assert databases.rows(name) == OLD
    assert stray.read_text() == "a detached database"


def urls_logical_names(databases: DatabasesUnderTest, urls: list[str]) -> list[str]:
    with databases.session() as session:
        return [str(row["LogicalName"]) for row in session.run(tsql.file_list(urls))]


def on_a_drive(databases: DatabasesUnderTest) -> tuple[str, list[str], Path]:
    """A backed up database whose data file lies on a drive of its own, its rows changed since."""
    name, drive = databases.make(), databases.folder / uuid4().hex
    drive.mkdir()
    data, log = databases.files(name)
    databases.server.run(tsql.set_access(name, tsql.OFFLINE), f"DROP DATABASE {tsql.name(name)}")
    for part in data.parent.glob(f"{data.name}*"):
        shutil.move(part, drive / part.name)
    databases.server.attach(name, drive / data.name, log)
    urls = databases.back_up(name)
    databases.write(name, NEW)
    return name, urls, drive


@pytest.mark.parametrize("is_told", [True, False])
def test_a_database_whose_drive_is_gone_comes_back_on_the_servers_own(
    databases: DatabasesUnderTest, is_told: bool
) -> None:
    name, urls, drive = on_a_drive(databases)
    log = databases.files(name)[1]
    databases.server.run(tsql.set_access(name, tsql.OFFLINE))
    shutil.rmtree(drive)
    stem = own_stem()
    if is_told:
        databases.talk(restore_over, name, urls, stem=stem)
    else:  # to a login that is no administrator the server denies that anything exists
        login = ReadmeLogin.make(databases.server, databases.make())
        with closing(databases.server.connect(**login.connect_options)) as connection:
            restore_over(Session(connection, threading.Event()), name, urls, stem=stem)
    assert databases.rows(name) == OLD
    data, new_log = databases.files(name)
    assert data == databases.server.folder / "data" / f"{stem}_{name}.mdf"
    assert (new_log == log) == is_told  # what is known to be there stays where it is


@pytest.mark.parametrize("restore", [restore_over, restore_as_new])
def test_new_files_lie_beside_the_servers_own_when_its_folders_for_them_are_gone(
    databases: DatabasesUnderTest, monkeypatch: pytest.MonkeyPatch, restore: Callable[..., None]
) -> None:
    _, urls = databases.backed_up()
    name, own = f"copy_{uuid4().hex[:8]}", databases.talk(server_limits).folders[-1]
    facts = ServerLimits((Folders("/never/there", "/never/there"), own))
    monkeypatch.setattr(databases_module, "server_limits", lambda _: facts)
    databases.talk(restore, name, urls, stem=own_stem())
    assert databases.rows(name) == OLD
    assert str(databases.files(name)[0].parent) == own.data


def test_a_server_whose_folders_for_new_databases_nobody_has_set_uses_those_of_its_own(
    databases: DatabasesUnderTest,
) -> None:
    class Unset(Session):
        def run(self, statement: str) -> list[Row]:
            (row,) = super().run(statement)
            return [row | {"data_folder": None, "log_folder": None}]

    own = databases.talk(server_limits).folders[-1]
    with databases.session(Unset) as session:
        assert server_limits(session).folders == (own, own)
    assert own.data.startswith("/")


def test_only_what_is_known_to_be_gone_is_called_so(databases: DatabasesUnderTest) -> None:
    known = databases.talk(server_limits).folders[-1].data
    folders = [known, "/never/there", str(databases.folder)]
    assert databases.talk(gone_folders, folders, known=known) == {"/never/there"}
    login = ReadmeLogin.make(databases.server, databases.make())
    with closing(databases.server.connect(**login.connect_options)) as connection:
        session = Session(connection, threading.Event())
        assert gone_folders(session, folders, known=known) == frozenset()
        assert set(free_bytes(session) or {}) == set(databases.talk(free_bytes) or {})
    assert (databases.talk(free_bytes) or {})["/"] > 0


def test_a_login_that_sees_nothing_of_the_server_knows_of_no_room(databases: DatabasesUnderTest) -> None:
    login = ReadmeLogin.make(databases.server, databases.make(), but_for="VIEW SERVER STATE")
    with closing(databases.server.connect(**login.connect_options)) as connection:
        assert free_bytes(Session(connection, threading.Event())) is None


def test_what_a_login_may_not_do_is_told_with_what_would_let_it(lab_sql_server: LabSqlServer) -> None:
    database = lab_sql_server.new_database()
    login = ReadmeLogin.make(lab_sql_server, database, but_for="dbcreator")
    lab_sql_server.run(f"GRANT CREATE ANY DATABASE TO [{login.name}]")

    def asked() -> set[Need]:
        with closing(lab_sql_server.connect(**login.connect_options)) as connection:
            return set(lacking(Session(connection, threading.Event()), database))

    assert asked() == {Need.RESTORE_OVER}  # a member of db_owner may drop it
    lab_sql_server.run(f"ALTER ROLE [db_owner] DROP MEMBER [{login.name}]", database=database)
    assert asked() == {Need.RESTORE_OVER, Need.REPLACE}
    lab_sql_server.run(f"ALTER SERVER ROLE [dbcreator] ADD MEMBER [{login.name}]")
    assert asked() == set()
