"""Backups and databases of the SQL Server stand-in that are damaged, cut short or without checksums."""

from __future__ import annotations

import pytest

from lab.testing.sql_server import LabSqlServer
from tests.lab.sqlserver.backups import backup, database, refusal

__all__ = ["database"]

pytestmark = pytest.mark.lab


@pytest.mark.parametrize("compression", ["COMPRESSION", "NO_COMPRESSION"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.98])
def test_a_changed_byte_is_found(lab_sql_server: LabSqlServer, database: str, part: float, compression: str) -> None:
    lab_sql_server.run(backup(database, options=f"CHECKSUM, {compression}"))
    file = lab_sql_server.folder / "backup" / f"{database}.bak"
    content = bytearray(file.read_bytes())
    content[int(len(content) * part)] ^= 0x10
    file.write_bytes(content)
    number, said = refusal(lab_sql_server, f"RESTORE VERIFYONLY FROM DISK = N'{database}.bak' WITH CHECKSUM")
    assert number in (3189, 3203, 3241)
    assert said[-1] == "VERIFY DATABASE is terminating abnormally."


def test_a_truncated_backup_is_found(lab_sql_server: LabSqlServer, database: str) -> None:
    lab_sql_server.run(backup(database))
    file = lab_sql_server.folder / "backup" / f"{database}.bak"
    file.write_bytes(file.read_bytes()[:-20])
    for statement in ("VERIFYONLY", "HEADERONLY"):
        assert refusal(lab_sql_server, f"RESTORE {statement} FROM DISK = N'{database}.bak'")[0] == 3203


def test_what_is_no_backup_is_refused(lab_sql_server: LabSqlServer, database: str) -> None:
    (lab_sql_server.folder / "backup" / f"{database}.bak").write_bytes(b"not a backup at all")
    assert refusal(lab_sql_server, f"RESTORE VERIFYONLY FROM DISK = N'{database}.bak'")[0] == 3241


def test_a_backup_without_checksums_cannot_be_verified_by_them(lab_sql_server: LabSqlServer, database: str) -> None:
    lab_sql_server.run(backup(database, options="NO_CHECKSUM"))
    verify = f"RESTORE VERIFYONLY FROM DISK = N'{database}.bak'"
    lab_sql_server.run(verify)
    assert refusal(lab_sql_server, f"{verify} WITH CHECKSUM")[0] == 3187


def test_a_compressed_backup_has_checksums_unless_told_not_to(lab_sql_server: LabSqlServer, database: str) -> None:
    verify = f"RESTORE VERIFYONLY FROM DISK = N'{database}.bak' WITH CHECKSUM"
    lab_sql_server.run(backup(database, options="COMPRESSION"), verify)
    lab_sql_server.run(backup(database, options="COMPRESSION, NO_CHECKSUM, FORMAT"))
    assert refusal(lab_sql_server, verify)[0] == 3187
    lab_sql_server.run(backup(database, options="NO_COMPRESSION, FORMAT"))
    assert refusal(lab_sql_server, verify)[0] == 3187


def test_a_damaged_database_is_found_by_checkdb(own_sql_server: LabSqlServer) -> None:
    database = own_sql_server.new_database()
    own_sql_server.run("CREATE TABLE t (a INT, b NVARCHAR(200))", "CREATE INDEX i ON t (b)", database=database)
    own_sql_server.run(
        "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
        "INSERT INTO t SELECT i, N'a long enough text ' + CAST(i AS NVARCHAR(9)) FROM n OPTION (MAXRECURSION 0)",
        database=database,
    )
    check = f"DBCC CHECKDB (N'{database}') WITH NO_INFOMSGS, ALL_ERRORMSGS"
    own_sql_server.run(check)
    own_sql_server.stop()
    file = own_sql_server.folder / "data" / f"{database}.mdf"
    content = bytearray(file.read_bytes())
    content[4 * 8192 : 4 * 8192 + 64] = b"\x00" * 64
    file.write_bytes(content)
    own_sql_server.start()
    assert refusal(own_sql_server, check)[0] == 8939
