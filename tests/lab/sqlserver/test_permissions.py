"""Who may do what on the SQL Server stand-in."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pymssql
import pytest

from lab.testing.sql_server import LabSqlServer, run_on
from tests.lab.sqlserver.logins import refused_login

pytestmark = pytest.mark.lab

PASSWORD = "S3cret-Passw0rd"


@pytest.fixture
def database(lab_sql_server: LabSqlServer) -> str:
    name = lab_sql_server.new_database()
    lab_sql_server.run("CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1)", database=name)
    return name


@pytest.fixture
def operator(lab_sql_server: LabSqlServer, database: str) -> dict[str, Any]:
    """How a login connects that may back the database up, and nothing else."""
    name = f"login_{uuid4().hex[:8]}"
    lab_sql_server.run(
        f"CREATE LOGIN [{name}] WITH PASSWORD = N'{PASSWORD}'",
        f"CREATE USER [{name}] FOR LOGIN [{name}]",
        f"ALTER ROLE [db_backupoperator] ADD MEMBER [{name}]",
        database=database,
    )
    return {"user": name, "password": PASSWORD}


def refused(server: LabSqlServer, statement: str, **options: Any) -> int:
    with pytest.raises(pymssql.Error) as error:
        server.run(statement, **options)
    return int(error.value.args[0])


def terminated(server: LabSqlServer, statement: str, **options: Any) -> str:
    """What came first where a statement failed; pymssql raises the severest message, not the first."""
    said: list[str] = []
    with server.connect(**options) as connection:
        connection._conn.set_msghandler(lambda *parts: said.append(parts[-1].decode()))
        with pytest.raises(pymssql.Error) as error:
            run_on(connection, statement)
    assert error.value.args[0] in (3013, 5069)
    return said[0]


def test_a_login_needs_its_password_and_a_user_in_the_database(
    lab_sql_server: LabSqlServer, database: str, operator: dict[str, Any]
) -> None:
    other = lab_sql_server.new_database()
    own = "SELECT login_name FROM sys.dm_exec_sessions"
    assert lab_sql_server.run(own, database=database, **operator) == [(operator["user"],)]
    assert refused_login(lab_sql_server, user=operator["user"], password="wrong").args[0] == 18456
    assert refused_login(lab_sql_server, database=other, **operator).args[0] == 18456
    assert refused(lab_sql_server, f"USE [{other}]", **operator) == 916
    assert refused(lab_sql_server, f"SELECT * FROM [{other}].dbo.t", **operator) == 916


def test_a_backup_operator_backs_up_and_does_nothing_else(
    lab_sql_server: LabSqlServer, database: str, operator: dict[str, Any]
) -> None:
    lab_sql_server.run(f"BACKUP DATABASE [{database}] TO DISK = N'{database}.bak' WITH CHECKSUM", **operator)
    lab_sql_server.run(f"BACKUP LOG [{database}] TO DISK = N'{database}.trn' WITH CHECKSUM", **operator)
    for statement, number in (
        ("SELECT * FROM t", 229),
        ("INSERT INTO t VALUES (2)", 229),
        ("CREATE TABLE u (a INT)", 262),
        ("CREATE DATABASE [another]", 262),
        (f"DROP DATABASE [{database}]", 3701),
        ("KILL 1", 6102),
        ("CREATE CREDENTIAL [s3://h/b] WITH IDENTITY = N'S3 Access Key', SECRET = N'a:b'", 15247),
        ("CREATE LOGIN [x] WITH PASSWORD = N'y'", 15247),
    ):
        assert refused(lab_sql_server, statement, database=database, **operator) == number
    alter = f"ALTER DATABASE [{database}] SET RECOVERY SIMPLE"
    assert "User does not have permission to alter database" in terminated(lab_sql_server, alter, **operator)
    restore = f"RESTORE DATABASE [{database}] FROM DISK = N'{database}.bak' WITH REPLACE"
    assert "does not have permission to RESTORE" in terminated(lab_sql_server, restore, **operator)
    for statement in (
        restore.replace(f"[{database}]", "[another]"),
        f"RESTORE HEADERONLY FROM DISK = N'{database}.bak'",
    ):
        assert "CREATE DATABASE permission denied" in terminated(lab_sql_server, statement, **operator)
    assert lab_sql_server.run("SELECT a FROM t", database=database) == [(1,)]


def test_who_is_no_member_cannot_back_up(lab_sql_server: LabSqlServer, database: str, operator: dict[str, Any]) -> None:
    lab_sql_server.run(f"ALTER ROLE [db_backupoperator] DROP MEMBER [{operator['user']}]", database=database)
    said = terminated(lab_sql_server, f"BACKUP DATABASE [{database}] TO DISK = N'no.bak'", **operator)
    assert f"BACKUP DATABASE permission denied in database '{database}'" in said
    assert not (lab_sql_server.folder / "backup" / "no.bak").exists()


def test_a_dbcreator_restores_but_an_owner_of_the_database_does_not(
    lab_sql_server: LabSqlServer, database: str, operator: dict[str, Any]
) -> None:
    name = operator["user"]
    restore = f"RESTORE DATABASE [{database}] FROM DISK = N'{database}.bak' WITH REPLACE"
    lab_sql_server.run(f"BACKUP DATABASE [{database}] TO DISK = N'{database}.bak'")
    lab_sql_server.run(f"ALTER ROLE [db_owner] ADD MEMBER [{name}]", database=database)
    assert lab_sql_server.run("SELECT a FROM t", database=database, **operator) == [(1,)]
    assert "does not have permission to RESTORE" in terminated(lab_sql_server, restore, **operator)
    lab_sql_server.run(f"ALTER SERVER ROLE [dbcreator] ADD MEMBER [{name}]")
    lab_sql_server.run(restore, **operator)


def test_others_requests_are_seen_with_view_server_state_alone(
    lab_sql_server: LabSqlServer, operator: dict[str, Any]
) -> None:
    count = "SELECT COUNT(*) FROM sys.dm_exec_sessions"
    with lab_sql_server.connect():
        assert lab_sql_server.run(count, **operator) == [(1,)]
        lab_sql_server.run(f"GRANT VIEW SERVER STATE TO [{operator['user']}]")
        ((seen,),) = lab_sql_server.run(count, **operator)
    assert seen > 1


@pytest.mark.parametrize("right", ["VIEW ANY DEFINITION", "ALTER ANY DATABASE", "CREATE ANY DATABASE"])
def test_files_of_databases_are_seen_with_any_of_three_rights(
    lab_sql_server: LabSqlServer, operator: dict[str, Any], right: str
) -> None:
    count = "SELECT COUNT(*) FROM sys.master_files"
    assert lab_sql_server.run(count, **operator) == [(0,)]
    lab_sql_server.run(f"GRANT {right} TO [{operator['user']}]")
    ((seen,),) = lab_sql_server.run(count, **operator)
    assert seen > 0


def test_logins_of_others_are_seen_with_view_any_definition_alone(
    lab_sql_server: LabSqlServer, database: str, operator: dict[str, Any]
) -> None:
    names = "SELECT name FROM sys.server_principals"
    other = f"other_{uuid4().hex[:8]}"
    lab_sql_server.run(f"CREATE LOGIN [{other}] WITH PASSWORD = N'{PASSWORD}'")
    assert {name for (name,) in lab_sql_server.run(names, **operator)} == {"sa", operator["user"]}
    assert len(lab_sql_server.run(ORPHANS.format(database), **operator)) == 0
    lab_sql_server.run(f"CREATE USER [{other}] FOR LOGIN [{other}]", database=database)
    assert lab_sql_server.run(ORPHANS.format(database), **operator) == [(other,)]  # it has a login, and looks orphaned
    lab_sql_server.run(f"GRANT VIEW ANY DEFINITION TO [{operator['user']}]")
    assert lab_sql_server.run(ORPHANS.format(database), **operator) == []


def test_checkdb_is_for_owners_and_a_database_that_is_not_online_is_opened_by_a_right_on_the_server_alone(
    lab_sql_server: LabSqlServer, database: str, operator: dict[str, Any]
) -> None:
    name, check = operator["user"], f"DBCC CHECKDB (N'{database}') WITH NO_INFOMSGS"
    assert refused(lab_sql_server, check, **operator) == 7983
    lab_sql_server.run(f"ALTER ROLE [db_owner] ADD MEMBER [{name}]", database=database)
    lab_sql_server.run(check, f"ALTER DATABASE [{database}] SET OFFLINE", **operator)
    online = f"ALTER DATABASE [{database}] SET ONLINE"
    assert "User does not have permission to alter database" in terminated(lab_sql_server, online, **operator)
    lab_sql_server.run(f"GRANT ALTER ANY DATABASE TO [{name}]")
    lab_sql_server.run(online, **operator)


ORPHANS = (
    "SELECT d.name FROM [{}].sys.database_principals AS d LEFT JOIN sys.server_principals AS s ON s.sid = d.sid "
    "WHERE s.sid IS NULL AND d.authentication_type_desc = N'INSTANCE'"
)


def test_users_come_with_a_backup_and_are_orphaned_without_their_login(
    lab_sql_server: LabSqlServer, database: str, operator: dict[str, Any]
) -> None:
    orphans = ORPHANS.format(database)
    lab_sql_server.run(f"BACKUP DATABASE [{database}] TO DISK = N'{database}.bak'")
    assert lab_sql_server.run(orphans) == []
    lab_sql_server.run(
        f"DROP LOGIN [{operator['user']}]",
        f"RESTORE DATABASE [{database}] FROM DISK = N'{database}.bak' WITH REPLACE",
    )
    assert lab_sql_server.run(orphans) == lab_sql_server.run(orphans, database=database) == [(operator["user"],)]


def test_an_orphaned_user_gets_a_login_again_and_keeps_its_roles(
    lab_sql_server: LabSqlServer, database: str, operator: dict[str, Any]
) -> None:
    name = operator["user"]
    create = f"CREATE LOGIN [{name}] WITH PASSWORD = N'{PASSWORD}'"
    lab_sql_server.run(f"DROP LOGIN [{name}]", create)  # the same name, another SID
    assert lab_sql_server.run(ORPHANS.format(database)) == [(name,)]
    with pytest.raises(pymssql.Error):
        lab_sql_server.connect(database, **operator)
    lab_sql_server.run(f"ALTER USER [{name}] WITH LOGIN = [{name}]", database=database)
    assert lab_sql_server.run(ORPHANS.format(database)) == []
    lab_sql_server.run(f"BACKUP DATABASE [{database}] TO DISK = N'{database}.bak'", **operator)


def test_a_user_is_of_one_login_that_is_there(
    lab_sql_server: LabSqlServer, database: str, operator: dict[str, Any]
) -> None:
    name = operator["user"]
    for statement, number in (
        (f"ALTER USER [{name}] WITH LOGIN = [nobody]", 15007),
        (f"ALTER USER [nobody] WITH LOGIN = [{name}]", 15151),
        ("CREATE USER [another] FOR LOGIN [nobody]", 15007),
        (f"CREATE USER [another] FOR LOGIN [{name}]", 15063),
        (f"ALTER USER [{name}] WITH NAME = [another]", 50000),
    ):
        assert refused(lab_sql_server, statement, database=database) == number
