"""Databases that something ties down, and backups that the server cannot take: refused before a byte is written."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lab.testing.sql_server import LabSqlServer
from tests.lab.sqlserver.backups import backup, checksum, database, refusal

__all__ = ["database"]

pytestmark = pytest.mark.lab


def with_header(server: LabSqlServer, name: str, **changes: Any) -> None:
    """Change what a backup on DISK says of itself."""
    file = server.folder / "backup" / f"{name}.bak"
    body = file.read_bytes()
    (length,) = struct.unpack("<I", body[8:12])
    text = json.dumps(json.loads(body[12 : 12 + length]) | changes).encode()
    rest = body[12 + length + 4 :]
    file.write_bytes(body[:8] + struct.pack("<I", len(text)) + text + struct.pack("<I", zlib.crc32(text)) + rest)


def restore(database: str) -> str:
    return f"RESTORE DATABASE [{database}] FROM DISK = N'{database}.bak' WITH REPLACE"


def test_a_database_in_an_availability_group_is_neither_restored_nor_shut_nor_dropped(
    lab_sql_server: LabSqlServer, database: str
) -> None:
    before = checksum(lab_sql_server, database)
    lab_sql_server.run(backup(database), f"ALTER AVAILABILITY GROUP [ag] ADD DATABASE [{database}]")
    replica = f"SELECT 1 FROM sys.databases WHERE name = N'{database}' AND replica_id IS NOT NULL"
    assert lab_sql_server.run(replica) == [(1,)]
    for statement, text in (
        (restore(database), "RESTORE cannot operate on database"),
        (f"ALTER DATABASE [{database}] SET OFFLINE", "involved in a database mirroring session"),
        (f"ALTER DATABASE [{database}] MODIFY NAME = [x]", "involved in a database mirroring session"),
        (f"DROP DATABASE [{database}]", "currently joined to an availability group"),
    ):
        _, said = refusal(lab_sql_server, statement)
        assert text in said[0]
    lab_sql_server.run(f"ALTER AVAILABILITY GROUP [ag] REMOVE DATABASE [{database}]", restore(database))
    assert checksum(lab_sql_server, database) == before


def test_a_database_with_a_snapshot_of_it_is_neither_restored_nor_dropped(
    lab_sql_server: LabSqlServer, database: str
) -> None:
    before, name = checksum(lab_sql_server, database), f"snap_{uuid4().hex[:8]}"
    file = lab_sql_server.folder / "data" / f"{name}.ss"
    lab_sql_server.run(
        backup(database),
        f"CREATE DATABASE [{name}] ON (NAME = [{database}], FILENAME = N'{file}') AS SNAPSHOT OF [{database}]",
    )
    lab_sql_server.run("DELETE FROM t", database=database)
    assert checksum(lab_sql_server, name) == before
    for statement, verb in ((restore(database), "restore"), (f"DROP DATABASE [{database}]", "drop")):
        _, said = refusal(lab_sql_server, statement)
        assert f'Cannot {verb} the database while the database snapshot "{name}" refers to it' in said[0]
    lab_sql_server.run(f"DROP DATABASE [{name}]", restore(database))
    assert not file.exists()
    assert checksum(lab_sql_server, database) == before


def test_a_backup_of_a_newer_server_shows_its_header_and_nothing_else(
    lab_sql_server: LabSqlServer, database: str
) -> None:
    lab_sql_server.run(backup(database))
    with_header(lab_sql_server, database, DatabaseVersion=998, SoftwareVersionMajor=17)
    lab_sql_server.run(f"RESTORE HEADERONLY FROM DISK = N'{database}.bak'")
    for statement in (
        restore(database),
        f"RESTORE VERIFYONLY FROM DISK = N'{database}.bak'",
        f"RESTORE FILELISTONLY FROM DISK = N'{database}.bak'",
    ):
        _, said = refusal(lab_sql_server, statement)
        assert said[0].startswith("The database was backed up on a server running version 17.")
        assert said[-1].endswith("is terminating abnormally.")


def test_a_backup_that_has_no_room_is_refused_as_a_whole(lab_sql_server: LabSqlServer, database: str) -> None:
    before = checksum(lab_sql_server, database)
    lab_sql_server.run(backup(database))
    files = [
        {"LogicalName": database, "PhysicalName": "/x.mdf", "Type": "D", "Size": 2**60},
        {"LogicalName": f"{database}_log", "PhysicalName": "/x.ldf", "Type": "L", "Size": 8192},
    ]
    with_header(lab_sql_server, database, Files=files)
    data = lab_sql_server.folder / "data" / f"{database}.mdf"
    log = lab_sql_server.folder / "log" / f"{database}_log.ldf"
    _, said = refusal(
        lab_sql_server, f"{restore(database)}, MOVE '{database}' TO '{data}', MOVE '{database}_log' TO '{log}'"
    )
    assert said[0].startswith("There is insufficient free space on disk volume")
    assert checksum(lab_sql_server, database) == before


def test_the_server_tells_its_volumes_and_what_lies_in_a_folder(lab_sql_server: LabSqlServer, database: str) -> None:
    volumes = (
        "SELECT DISTINCT v.volume_mount_point, v.available_bytes FROM sys.master_files AS f "
        "CROSS APPLY sys.dm_os_volume_stats(f.database_id, f.file_id) AS v"
    )
    data = lab_sql_server.folder / "data" / f"{database}.mdf"
    mounts = lab_sql_server.run(volumes)
    assert any(str(data).startswith(mount) and free > 0 for mount, free in mounts)
    assert lab_sql_server.run("SELECT fixed_drive_path FROM sys.dm_os_enumerate_fixed_drives") == [("/",)]
    for path, answer in (
        (data, (1, 0, 1)),
        (data.parent, (0, 1, 1)),
        (data.with_name("no"), (0, 0, 1)),
        (Path("/no/x"), (0, 0, 0)),
    ):
        assert lab_sql_server.run(f"EXEC master.sys.xp_fileexist N'{path}'") == [answer]


def test_only_the_administrator_is_told_what_lies_where(lab_sql_server: LabSqlServer, database: str) -> None:
    login = {"user": f"login_{uuid4().hex[:8]}", "password": "S3cret-Passw0rd"}
    lab_sql_server.run(f"CREATE LOGIN [{login['user']}] WITH PASSWORD = N'{login['password']}'")
    data = lab_sql_server.folder / "data" / f"{database}.mdf"
    assert lab_sql_server.run(f"EXEC master.sys.xp_fileexist N'{data}'", **login) == [(0, 0, 0)]
    number, said = refusal(lab_sql_server, "SELECT 1 FROM sys.dm_os_enumerate_fixed_drives", **login)
    assert "VIEW SERVER STATE permission was denied" in said[0]
    assert number in (297, 300)
