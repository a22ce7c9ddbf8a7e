"""Databases of the SQL Server stand-in as a whole: other names, lost files, and what its views say of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import uuid4

import pymssql
import pytest

from lab.testing.sql_server import LabSqlServer, run_on

pytestmark = pytest.mark.lab


@pytest.fixture
def database(lab_sql_server: LabSqlServer) -> str:
    name = lab_sql_server.new_database()
    lab_sql_server.run("CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1), (2)", database=name)
    return name


def refused(server: LabSqlServer, statement: str, database: str = "master") -> int:
    with pytest.raises(pymssql.Error) as error:
        server.run(statement, database=database)
    return int(error.value.args[0])


def state(server: LabSqlServer, name: str) -> list[tuple[object, ...]]:
    return server.run(f"SELECT state_desc FROM sys.databases WHERE name = N'{name}'")


def files(server: LabSqlServer, name: str) -> list[tuple[object, ...]]:
    return server.run(f"SELECT physical_name, size FROM sys.master_files WHERE database_id = DB_ID(N'{name}')")


def test_a_database_takes_another_name_with_its_rows_its_files_and_its_log(
    lab_sql_server: LabSqlServer, database: str
) -> None:
    lab_sql_server.run(f"BACKUP DATABASE [{database}] TO DISK = N'{database}.bak'")
    before, renamed = [path for path, _ in files(lab_sql_server, database)], f"new]] of {database}"
    lab_sql_server.run(f"ALTER DATABASE [{database}] MODIFY NAME = [{renamed}]")
    renamed = renamed.replace("]]", "]")
    assert state(lab_sql_server, database) == []
    lab_sql_server.run("INSERT INTO t VALUES (3)", database=renamed)
    assert lab_sql_server.run("SELECT SUM(a) FROM t", database=renamed) == [(6,)]
    assert [path for path, _ in files(lab_sql_server, renamed)] == before
    lab_sql_server.run(f"BACKUP LOG [{renamed.replace(']', ']]')}] TO DISK = N'{database}.trn'")
    assert refused(lab_sql_server, f"ALTER DATABASE [{database}] MODIFY NAME = [x]") == 5069


def test_a_session_may_rename_the_database_that_it_is_in(lab_sql_server: LabSqlServer, database: str) -> None:
    with lab_sql_server.connect(database) as connection:
        run_on(connection, f"ALTER DATABASE CURRENT MODIFY NAME = [{database}_2]")
        assert run_on(connection, "SELECT DB_NAME(), SUM(a) FROM t") == [(f"{database}_2", 3)]


def test_a_database_that_others_are_in_or_that_is_not_open_keeps_its_name(
    lab_sql_server: LabSqlServer, database: str
) -> None:
    rename = f"ALTER DATABASE [{database}] MODIFY NAME = [{database}_2]"
    with lab_sql_server.connect(database):
        assert refused(lab_sql_server, rename) == 5030
    taken = lab_sql_server.new_database()
    assert refused(lab_sql_server, f"ALTER DATABASE [{database}] MODIFY NAME = [{taken}]") == 1801
    assert refused(lab_sql_server, "ALTER DATABASE msdb MODIFY NAME = [x]") == 5058
    lab_sql_server.run(f"ALTER DATABASE [{database}] SET OFFLINE")
    assert refused(lab_sql_server, rename) == 942


def test_a_database_whose_file_is_gone_stays_offline_until_it_is_there_again(
    lab_sql_server: LabSqlServer, database: str, tmp_path: Path
) -> None:
    online = f"ALTER DATABASE [{database}] SET ONLINE"
    data = lab_sql_server.folder / "data" / f"{database}.mdf"
    lab_sql_server.run(f"ALTER DATABASE [{database}] SET OFFLINE")
    shutil.move(data, tmp_path / "kept")
    assert refused(lab_sql_server, online) == 5120
    assert state(lab_sql_server, database) == [("OFFLINE",)]
    assert files(lab_sql_server, database)[0] == (str(data), 0)
    shutil.move(tmp_path / "kept", data)
    lab_sql_server.run(online)
    assert lab_sql_server.run("SELECT SUM(a) FROM t", database=database) == [(3,)]


def test_a_view_of_another_database_shows_that_databases_users(lab_sql_server: LabSqlServer, database: str) -> None:
    login = f"login_{uuid4().hex}"
    lab_sql_server.run(f"CREATE LOGIN [{login}] WITH PASSWORD = N'{uuid4()}'")
    lab_sql_server.run(f"CREATE USER [{login}]", database=database)
    users = "sys.database_principals WHERE principal_id > 4"
    assert lab_sql_server.run(f"SELECT COUNT(*) FROM {users}") == [(0,)]
    names = f"SELECT name, authentication_type_desc FROM [{database}].{users}"
    assert lab_sql_server.run(names) == [(login, "INSTANCE")]
    lab_sql_server.run(f"ALTER DATABASE [{database}] SET OFFLINE")
    assert refused(lab_sql_server, names) == 942
