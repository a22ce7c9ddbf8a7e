"""What a restore and an attach lose on the SQL Server stand-in, as on a real one, and how to have it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pymssql
import pytest

from lab.testing.sql_server import LabSqlServer, run_on

pytestmark = pytest.mark.lab

STATE = "SELECT is_broker_enabled, is_trustworthy_on, is_db_chaining_on, is_cdc_enabled, SUSER_SNAME(owner_sid)"


def state(server: LabSqlServer, database: str) -> tuple[Any, ...]:
    return server.run(f"{STATE} FROM sys.databases WHERE name = N'{database}'")[0]


def refused(server: LabSqlServer, statement: str, **options: Any) -> str:
    said: list[str] = []
    with server.connect(**options) as connection:
        connection._conn.set_msghandler(lambda *parts: said.append(parts[-1].decode()))
        with pytest.raises(pymssql.Error):
            run_on(connection, statement)
    return said[0]


def login(server: LabSqlServer) -> str:
    name = f"owner_{uuid4().hex[:8]}"
    server.run(f"CREATE LOGIN [{name}] WITH PASSWORD = N'S3cret-Passw0rd'")
    return name


@pytest.fixture
def database(lab_sql_server: LabSqlServer) -> str:
    """A database with everything on that its server gives it, and with another owner."""
    name = lab_sql_server.new_database()
    owner = login(lab_sql_server)
    lab_sql_server.run("EXEC sys.sp_cdc_enable_db", database=name)
    lab_sql_server.run(
        *(f"ALTER DATABASE [{name}] SET {option}" for option in ("ENABLE_BROKER", "TRUSTWORTHY ON", "DB_CHAINING ON")),
        f"ALTER AUTHORIZATION ON DATABASE::[{name}] TO [{owner}]",
    )
    assert state(lab_sql_server, name) == (True, True, True, True, owner)
    lab_sql_server.run(f"BACKUP DATABASE [{name}] TO DISK = N'{name}.bak'")
    return name


def test_a_restore_in_place_keeps_change_data_capture_and_nothing_else(
    lab_sql_server: LabSqlServer, database: str
) -> None:
    lab_sql_server.run(f"RESTORE DATABASE [{database}] FROM DISK = N'{database}.bak' WITH REPLACE")
    assert state(lab_sql_server, database) == (False, False, False, True, lab_sql_server.settings.sql_user)


@pytest.mark.parametrize(("option", "is_kept"), [("", False), (", KEEP_CDC", True)])
def test_a_restore_under_another_name_loses_change_data_capture_unless_it_is_told_to_keep_it(
    lab_sql_server: LabSqlServer, database: str, option: str, is_kept: bool
) -> None:
    copy = f"{database}_copy"
    folder = lab_sql_server.folder
    lab_sql_server.run(
        f"RESTORE DATABASE [{copy}] FROM DISK = N'{database}.bak' WITH MOVE N'{database}' TO "
        f"N'{folder}/data/{copy}.mdf', MOVE N'{database}_log' TO N'{folder}/log/{copy}.ldf'{option}"
    )
    assert state(lab_sql_server, copy)[:4] == (False, False, False, is_kept)
    assert "already an enabled Service Broker" in refused(lab_sql_server, f"ALTER DATABASE [{copy}] SET ENABLE_BROKER")
    lab_sql_server.run(f"ALTER DATABASE [{copy}] SET NEW_BROKER WITH ROLLBACK IMMEDIATE")
    assert state(lab_sql_server, copy)[0] is state(lab_sql_server, database)[0] is True


def test_a_restore_on_another_server_loses_change_data_capture(
    lab_sql_server: LabSqlServer, own_sql_server: LabSqlServer, database: str
) -> None:
    backup, folder = lab_sql_server.folder / "backup" / f"{database}.bak", own_sql_server.folder
    own_sql_server.run(
        f"RESTORE DATABASE [{database}] FROM DISK = N'{backup}' WITH MOVE N'{database}' TO "
        f"N'{folder}/data/x.mdf', MOVE N'{database}_log' TO N'{folder}/log/x.ldf'"
    )
    assert state(own_sql_server, database)[3] is False


def test_an_attach_loses_all_but_change_data_capture(lab_sql_server: LabSqlServer, database: str) -> None:
    folder = lab_sql_server.folder
    files = folder / "data" / f"{database}.mdf", folder / "log" / f"{database}_log.ldf"
    lab_sql_server.run(f"ALTER DATABASE [{database}] SET OFFLINE", f"DROP DATABASE [{database}]")
    lab_sql_server.attach(database, *files)
    assert state(lab_sql_server, database) == (False, False, False, True, lab_sql_server.settings.sql_user)
    lab_sql_server.run(f"ALTER DATABASE [{database}] SET ENABLE_BROKER")
    assert state(lab_sql_server, database)[0] is True


def test_only_an_administrator_makes_a_database_trusted_or_gives_it_away(
    lab_sql_server: LabSqlServer, database: str
) -> None:
    name = login(lab_sql_server)
    options = {"user": name, "password": "S3cret-Passw0rd"}
    lab_sql_server.run(f"ALTER SERVER ROLE [dbcreator] ADD MEMBER [{name}]")
    lab_sql_server.run(f"RESTORE DATABASE [{database}] FROM DISK = N'{database}.bak' WITH REPLACE", **options)
    assert state(lab_sql_server, database)[4] == name
    for statement in (
        f"ALTER DATABASE [{database}] SET TRUSTWORTHY ON",
        f"ALTER DATABASE [{database}] SET DB_CHAINING ON",
    ):
        assert "does not have permission" in refused(lab_sql_server, statement, **options)
    give_away = f"ALTER AUTHORIZATION ON DATABASE::[{database}] TO [{login(lab_sql_server)}]"
    assert "you do not have permission" in refused(lab_sql_server, give_away, **options)
    lab_sql_server.run(f"ALTER DATABASE [{database}] SET ENABLE_BROKER", **options)
    assert state(lab_sql_server, database)[0] is True


def test_who_is_a_user_of_a_database_cannot_become_its_owner(lab_sql_server: LabSqlServer, database: str) -> None:
    name = login(lab_sql_server)
    lab_sql_server.run(f"CREATE USER [{name}] FOR LOGIN [{name}]", database=database)
    give = f"ALTER AUTHORIZATION ON DATABASE::[{database}] TO [{name}]"
    assert "is already a user or aliased" in refused(lab_sql_server, give)


@pytest.mark.parametrize("on", [True, False], ids=["encrypted", "switched off, its key still there"])
def test_a_database_with_an_encryption_key_comes_back_only_where_its_certificate_is(
    lab_sql_server: LabSqlServer, own_sql_server: LabSqlServer, database: str, on: bool
) -> None:
    certificate = lab_sql_server.encrypt(database, on=on)
    backup = lab_sql_server.folder / "backup" / f"{database}_encrypted.bak"
    lab_sql_server.run(f"BACKUP DATABASE [{database}] TO DISK = N'{backup}' WITH CHECKSUM")
    folder = own_sql_server.folder
    restore = (
        f"RESTORE DATABASE [{database}] FROM DISK = N'{backup}' WITH MOVE N'{database}' TO "
        f"N'{folder}/data/x.mdf', MOVE N'{database}_log' TO N'{folder}/log/x.ldf'"
    )
    for statement in (restore, *(f"RESTORE {what} FROM DISK = N'{backup}'" for what in ("VERIFYONLY", "FILELISTONLY"))):
        assert "Cannot find server certificate with thumbprint" in refused(own_sql_server, statement)
    saved, key = Path(f"{backup}.cer"), Path(f"{backup}.key")
    lab_sql_server.run(
        f"BACKUP CERTIFICATE [{certificate}] TO FILE = N'{saved}' "
        f"WITH PRIVATE KEY (FILE = N'{key}', ENCRYPTION BY PASSWORD = N'secret')"
    )
    own_sql_server.run(
        f"CREATE CERTIFICATE [another_name] FROM FILE = N'{saved}' "
        f"WITH PRIVATE KEY (FILE = N'{key}', DECRYPTION BY PASSWORD = N'secret')",
        restore,
    )
    seen = "SELECT DB_NAME(database_id), encryption_state FROM sys.dm_database_encryption_keys"
    assert own_sql_server.run(seen) == [(database, 3 if on else 1)]


def test_files_of_an_encrypted_database_are_not_attached_without_its_certificate(
    lab_sql_server: LabSqlServer, database: str
) -> None:
    certificate = lab_sql_server.encrypt(database)
    folder = lab_sql_server.folder
    files = folder / "data" / f"{database}.mdf", folder / "log" / f"{database}_log.ldf"
    drop = f"DROP CERTIFICATE [{certificate}]"
    assert "cannot be dropped" in refused(lab_sql_server, drop)
    lab_sql_server.run(f"ALTER DATABASE [{database}] SET OFFLINE", f"DROP DATABASE [{database}]", drop)
    attach = f"CREATE DATABASE [{database}] ON (FILENAME = N'{files[0]}'), (FILENAME = N'{files[1]}') FOR ATTACH"
    assert "Cannot find server certificate" in refused(lab_sql_server, attach)


def test_encryption_is_seen_with_the_rights_for_it_alone(lab_sql_server: LabSqlServer, database: str) -> None:
    lab_sql_server.encrypt(database)
    name = login(lab_sql_server)
    options = {"user": name, "password": "S3cret-Passw0rd"}
    keys, certificates = "SELECT * FROM sys.dm_database_encryption_keys", "SELECT name FROM sys.certificates"
    assert "VIEW SERVER STATE permission was denied" in refused(lab_sql_server, keys, **options)
    assert lab_sql_server.run(certificates, **options) == []
    lab_sql_server.run(f"GRANT VIEW SERVER STATE TO [{name}]", f"GRANT VIEW ANY DEFINITION TO [{name}]")
    assert lab_sql_server.run(keys, **options)
    assert (f"cert_{database}",) in lab_sql_server.run(certificates, **options)


def test_what_a_database_carries_comes_with_its_log_backups(lab_sql_server: LabSqlServer, database: str) -> None:
    lab_sql_server.run(
        f"ALTER DATABASE [{database}] SET COMPATIBILITY_LEVEL = 150",
        f"BACKUP LOG [{database}] TO DISK = N'{database}.trn'",
        f"RESTORE DATABASE [{database}] FROM DISK = N'{database}.bak' WITH REPLACE, NORECOVERY",
        f"RESTORE LOG [{database}] FROM DISK = N'{database}.trn'",
    )
    level = f"SELECT compatibility_level FROM sys.databases WHERE name = N'{database}'"
    assert lab_sql_server.run(level) == [(150,)]
