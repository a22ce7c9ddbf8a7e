"""BACKUP and RESTORE of the SQL Server stand-in: what comes back, what is written down, what is refused."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pymssql
import pytest

from lab.testing.sql_server import LabSqlServer, run_on

pytestmark = pytest.mark.lab

HISTORY = (
    "SELECT backup_set_uuid, name, database_name, backup_start_date, backup_finish_date, backup_size, "
    "compressed_backup_size, first_lsn, last_lsn, checkpoint_lsn, database_backup_lsn, is_copy_only, "
    "has_backup_checksums, is_damaged, type FROM msdb.dbo.backupset WHERE name = N'{}' ORDER BY backup_set_id"
)


@pytest.fixture
def database(lab_sql_server: LabSqlServer) -> str:
    """A database with a table of 1,000 rows."""
    name = lab_sql_server.new_database()
    lab_sql_server.run(
        "CREATE TABLE t (id INT IDENTITY(1,1) PRIMARY KEY, a NVARCHAR(100), d DECIMAL(10,2), at DATETIME2)",
        "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO t (a, d, at) "
        "SELECT N'řádek ' + CAST(i AS NVARCHAR(9)), i * 0.25, '2026-11-23' FROM n OPTION (MAXRECURSION 0)",
        database=name,
    )
    return name


def checksum(server: LabSqlServer, database: str) -> list[tuple[Any, ...]]:
    return server.run("SELECT COUNT_BIG(*), CHECKSUM_AGG(BINARY_CHECKSUM(*)) FROM t", database=database)


def refusal(server: LabSqlServer, statement: str, **options: Any) -> tuple[int, list[str]]:
    """The number of the first error that a statement ends in, and all messages that came with it."""
    said: list[str] = []
    with server.connect(**options) as connection:
        connection._conn.set_msghandler(lambda *parts: said.append(parts[-1].decode()))
        with pytest.raises(pymssql.Error) as refused:
            run_on(connection, statement)
    return refused.value.args[0], said


def backup(database: str, name: str | None = None, options: str = "CHECKSUM, COMPRESSION") -> str:
    name = name or database
    return f"BACKUP DATABASE [{database}] TO DISK = N'{name}.bak' WITH NAME = N'{name}', {options}"


def test_a_restored_database_holds_what_the_backup_held(lab_sql_server: LabSqlServer, database: str) -> None:
    before = checksum(lab_sql_server, database)
    lab_sql_server.run(backup(database))
    lab_sql_server.run("DELETE FROM t WHERE id > 10", "UPDATE t SET a = N'x'", database=database)
    assert checksum(lab_sql_server, database) != before
    lab_sql_server.run(f"RESTORE DATABASE [{database}] FROM DISK = N'{database}.bak' WITH REPLACE, CHECKSUM, RECOVERY")
    assert checksum(lab_sql_server, database) == before
    lab_sql_server.run(f"DROP DATABASE [{database}]")
    lab_sql_server.run(f"RESTORE DATABASE [{database}] FROM DISK = N'{database}.bak' WITH CHECKSUM")
    assert checksum(lab_sql_server, database) == before
    lab_sql_server.run("INSERT INTO t (a) VALUES (N'next')", database=database)
    assert lab_sql_server.run("SELECT MAX(id) FROM t", database=database) == [(1001,)]


def test_a_backup_can_be_restored_beside_its_database(lab_sql_server: LabSqlServer, database: str) -> None:
    lab_sql_server.run(backup(database))
    copy = f"{database}_copy"
    data, log = (lab_sql_server.folder / "data" / f"{copy}.mdf", lab_sql_server.folder / "log" / f"{copy}.ldf")
    moves = f"MOVE N'{database}' TO N'{data}', MOVE N'{database}_log' TO N'{log}'"
    lab_sql_server.run(f"RESTORE DATABASE [{copy}] FROM DISK = N'{database}.bak' WITH {moves}, CHECKSUM, STATS = 5")
    assert checksum(lab_sql_server, copy) == checksum(lab_sql_server, database)
    files = "SELECT physical_name FROM sys.master_files WHERE database_id = DB_ID(N'{}') ORDER BY file_id"
    assert lab_sql_server.run(files.format(copy)) == [(str(data),), (str(log),)]


def test_a_backup_is_of_one_moment_while_others_write(lab_sql_server: LabSqlServer, database: str) -> None:
    """Two tables always grow together in one transaction; a backup must never hold one without the other."""
    lab_sql_server.run("CREATE TABLE u (id INT)", "CREATE TABLE v (id INT)", database=database)
    stop = threading.Event()

    def write() -> None:
        with lab_sql_server.connect(database) as connection:
            number = 0
            while not stop.is_set():
                number += 1
                insert = f"INSERT INTO u VALUES ({number}); INSERT INTO v VALUES ({number})"
                run_on(connection, f"BEGIN TRAN; {insert}; COMMIT")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with lab_sql_server.slowed(backup_seconds=0.5):
            for attempt in range(3):
                lab_sql_server.run(backup(database, f"{database}-{attempt}"))
    finally:
        stop.set()
        writer.join()
    seen = []
    for attempt in range(3):
        lab_sql_server.run(
            f"RESTORE DATABASE [{database}] FROM DISK = N'{database}-{attempt}.bak' WITH REPLACE, CHECKSUM"
        )
        ((u, v),) = lab_sql_server.run("SELECT (SELECT COUNT(*) FROM u), (SELECT COUNT(*) FROM v)", database=database)
        assert u == v
        seen.append(u)
    assert seen[0] < seen[2]


def test_the_history_has_a_row_for_a_backup_that_succeeded(lab_sql_server: LabSqlServer, database: str) -> None:
    name = f"{database}/full-01"
    lab_sql_server.run(
        f"BACKUP DATABASE [{database}] TO DISK = N'{database}.bak' "
        f"WITH NAME = N'{name}', CHECKSUM, COMPRESSION, STATS = 5"
    )
    ((uuid, found, of, start, finish, size, compressed, first, last, checkpoint, base, *flags),) = lab_sql_server.run(
        HISTORY.format(name)
    )
    assert (found, of) == (name, database)
    assert start <= finish
    assert 0 < compressed < size
    assert first == checkpoint < last
    assert base == 0
    assert flags == [False, True, False, "D"]
    (header,) = with_names(lab_sql_server, f"RESTORE HEADERONLY FROM DISK = N'{database}.bak'")
    assert (header["BackupSetGUID"], header["BackupName"], header["DatabaseName"]) == (uuid, name, database)
    assert (header["FirstLSN"], header["LastLSN"], header["BackupSize"]) == (first, last, size)
    assert header["BackupFinishDate"] == finish
    family = "SELECT f.physical_device_name FROM msdb.dbo.backupset AS s JOIN msdb.dbo.backupmediafamily AS f "
    assert lab_sql_server.run(family + f"ON f.media_set_id = s.media_set_id WHERE s.name = N'{name}'") == [
        (f"{database}.bak",)
    ]


def test_log_sequence_numbers_go_up_and_a_copy_only_backup_is_nobodys_base(
    lab_sql_server: LabSqlServer, database: str
) -> None:
    for name, options in (("1", "CHECKSUM"), ("2", "CHECKSUM, COPY_ONLY"), ("3", "CHECKSUM")):
        lab_sql_server.run(backup(database, f"{database}-{name}", options))
    rows = [lab_sql_server.run(HISTORY.format(f"{database}-{name}"))[0] for name in "123"]
    first, last, base = ([row[at] for row in rows] for at in (7, 8, 10))
    assert first[0] < last[0] < first[1] < last[1] < first[2]
    assert base == [0, first[0], first[0]]
    assert [row[11] for row in rows] == [False, True, False]


def test_log_sequence_numbers_never_go_back_after_a_restore(lab_sql_server: LabSqlServer, database: str) -> None:
    lab_sql_server.run(backup(database, f"{database}-1"))
    lab_sql_server.run(backup(database, f"{database}-2"))
    lab_sql_server.run(f"DROP DATABASE [{database}]")
    lab_sql_server.run(f"RESTORE DATABASE [{database}] FROM DISK = N'{database}-1.bak'")
    lab_sql_server.run(backup(database, f"{database}-3"))
    rows = [lab_sql_server.run(HISTORY.format(f"{database}-{name}"))[0] for name in "13"]
    assert rows[0][8] < rows[1][7]


def test_a_file_list_names_both_files_with_all_documented_columns(lab_sql_server: LabSqlServer, database: str) -> None:
    lab_sql_server.run(backup(database))
    data, log = with_names(lab_sql_server, f"RESTORE FILELISTONLY FROM DISK = N'{database}.bak'")
    assert (data["LogicalName"], data["Type"], data["FileGroupName"], data["FileID"]) == (database, "D", "PRIMARY", 1)
    assert (log["LogicalName"], log["Type"], log["FileGroupName"], log["FileID"]) == (f"{database}_log", "L", None, 2)
    assert data["PhysicalName"] == str(lab_sql_server.folder / "data" / f"{database}.mdf")
    assert len(data) == 22
    (header,) = with_names(lab_sql_server, f"RESTORE HEADERONLY FROM DISK = N'{database}.bak'")
    assert len(header) == 59


def test_progress_is_told_while_it_happens(lab_sql_server: LabSqlServer, database: str) -> None:
    said: list[str] = []
    with lab_sql_server.connect() as connection:
        connection._conn.set_msghandler(lambda *parts: said.append(parts[-1].decode()))
        run_on(connection, backup(database, options="CHECKSUM, STATS = 25"))
    assert [line for line in said if "percent" in line] == [
        f"{number} percent processed." for number in (25, 50, 75, 100)
    ]
    assert said[-1].startswith("BACKUP DATABASE successfully processed")


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


@pytest.mark.parametrize(
    ("statement", "number", "what"),
    [
        ("BACKUP DATABASE [nowhere] TO DISK = N'x.bak'", 911, "BACKUP DATABASE"),
        ("BACKUP DATABASE [tempdb] TO DISK = N'x.bak'", 3147, "BACKUP DATABASE"),
        ("BACKUP DATABASE [{0}] TO DISK = N'no/such/folder.bak'", 3201, "BACKUP DATABASE"),
        ("RESTORE DATABASE [{0}] FROM DISK = N'missing.bak'", 3201, "RESTORE DATABASE"),
        ("RESTORE VERIFYONLY FROM DISK = N'missing.bak'", 3201, "VERIFY DATABASE"),
        ("RESTORE DATABASE [{0}] FROM DISK = N'{0}.bak'", 3159, "RESTORE DATABASE"),
        ("RESTORE DATABASE [master] FROM DISK = N'{0}.bak' WITH REPLACE", 3147, "RESTORE DATABASE"),
        ("RESTORE DATABASE [{0}_2] FROM DISK = N'{0}.bak'", 1834, "RESTORE DATABASE"),
        ("RESTORE DATABASE [{0}_2] FROM DISK = N'{0}.bak' WITH MOVE N'x' TO N'/x'", 3234, "RESTORE DATABASE"),
        (
            (
                "RESTORE DATABASE [{0}_2] FROM DISK = N'{0}.bak' WITH MOVE N'{0}' TO N'/no/such/x.mdf', "
                "MOVE N'{0}_log' TO N'/no/such/x.ldf'"
            ),
            5133,
            "RESTORE DATABASE",
        ),
        ("USE [{0}]; RESTORE DATABASE [{0}] FROM DISK = N'{0}.bak' WITH REPLACE", 3102, "RESTORE DATABASE"),
    ],
)
def test_what_sql_server_refuses_is_refused_and_changes_nothing(
    lab_sql_server: LabSqlServer, database: str, statement: str, number: int, what: str
) -> None:
    lab_sql_server.run(backup(database))
    before = checksum(lab_sql_server, database)
    refused, said = refusal(lab_sql_server, statement.format(database))
    assert refused == number
    assert said[-1] == f"{what} is terminating abnormally."
    assert checksum(lab_sql_server, database) == before
    assert lab_sql_server.run(f"SELECT COUNT(*) FROM sys.databases WHERE name = N'{database}_2'") == [(0,)]


def test_another_database_is_not_overwritten_without_replace(lab_sql_server: LabSqlServer, database: str) -> None:
    other = lab_sql_server.new_database()
    lab_sql_server.run(backup(database))
    moves = "".join(
        f", MOVE N'{database}{end}' TO N'{lab_sql_server.folder}/data/{other}{end}'" for end in ("", "_log")
    )
    restore = f"RESTORE DATABASE [{other}] FROM DISK = N'{database}.bak' WITH RECOVERY{moves}"
    assert refusal(lab_sql_server, restore)[0] == 3154
    lab_sql_server.run(
        backup(other),
        f"RESTORE DATABASE [{other}] FROM DISK = N'{other}.bak' WITH REPLACE, NORECOVERY",
    )
    assert refusal(lab_sql_server, restore)[0] == 3154  # nor where it is RESTORING
    lab_sql_server.run(f"RESTORE DATABASE [{other}] FROM DISK = N'{other}.bak' WITH NORECOVERY")
    lab_sql_server.run(f"{restore}, REPLACE")
    assert checksum(lab_sql_server, other) == checksum(lab_sql_server, database)


def test_a_database_in_use_is_not_restored(lab_sql_server: LabSqlServer, database: str) -> None:
    lab_sql_server.run(backup(database))
    with lab_sql_server.connect(database):
        restore = f"RESTORE DATABASE [{database}] FROM DISK = N'{database}.bak' WITH REPLACE"
        assert refusal(lab_sql_server, restore)[0] == 3101


def test_a_restore_on_the_connection_that_set_single_user_works(lab_sql_server: LabSqlServer, database: str) -> None:
    before = checksum(lab_sql_server, database)
    lab_sql_server.run(backup(database))
    lab_sql_server.connect(database)
    lab_sql_server.run(
        f"ALTER DATABASE [{database}] SET SINGLE_USER WITH ROLLBACK IMMEDIATE",
        f"RESTORE DATABASE [{database}] FROM DISK = N'{database}.bak' WITH REPLACE, CHECKSUM",
        f"ALTER DATABASE [{database}] SET MULTI_USER",
    )
    assert checksum(lab_sql_server, database) == before


def test_an_offline_database_can_be_restored_over(lab_sql_server: LabSqlServer, database: str) -> None:
    lab_sql_server.run(
        backup(database),
        f"ALTER DATABASE [{database}] SET OFFLINE WITH ROLLBACK IMMEDIATE",
        f"RESTORE DATABASE [{database}] FROM DISK = N'{database}.bak' WITH REPLACE, CHECKSUM",
    )
    states = f"SELECT state_desc, user_access_desc FROM sys.databases WHERE name = N'{database}'"
    assert lab_sql_server.run(states) == [("ONLINE", "MULTI_USER")]


def test_a_backup_inside_a_transaction_is_refused(lab_sql_server: LabSqlServer, database: str) -> None:
    number, said = refusal(lab_sql_server, backup(database), autocommit=False)
    assert number == 3021
    assert said[-1] == "BACKUP DATABASE is terminating abnormally."


def test_a_second_backup_of_a_database_must_wait_its_turn(lab_sql_server: LabSqlServer, database: str) -> None:
    running = "SELECT COUNT(*) FROM sys.dm_exec_requests WHERE command = N'BACKUP DATABASE' AND percent_complete > 0"
    with lab_sql_server.slowed(backup_seconds=2):
        first = threading.Thread(target=lab_sql_server.run, args=(backup(database, f"{database}-1"),))
        first.start()
        try:
            while lab_sql_server.run(running) == [(0,)]:
                assert first.is_alive()
            assert refusal(lab_sql_server, backup(database, f"{database}-2"))[0] == 3023
            restore = f"RESTORE DATABASE [{database}] FROM DISK = N'{database}-1.bak' WITH REPLACE"
            assert refusal(lab_sql_server, restore)[0] == 3201  # the file is the first backup's still
        finally:
            first.join()
    assert not (lab_sql_server.folder / "backup" / f"{database}-2.bak").exists()


def test_no_temporary_copy_stays_behind(lab_sql_server: LabSqlServer, database: str) -> None:
    lab_sql_server.run(backup(database))
    refusal(lab_sql_server, backup(database))  # the file exists
    assert list((lab_sql_server.folder / "temp").iterdir()) == []


def with_names(server: LabSqlServer, statement: str) -> list[dict[str, Any]]:
    with server.connect(as_dict=True) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        rows: Any = cursor.fetchall()
        return list(rows)


def test_a_path_may_be_anywhere(lab_sql_server: LabSqlServer, database: str, tmp_path: Path) -> None:
    file = tmp_path / "o'brien [1].bak"
    quoted = str(file).replace("'", "''")
    lab_sql_server.run(f"BACKUP DATABASE [{database}] TO DISK = N'{quoted}'")
    lab_sql_server.run(f"RESTORE VERIFYONLY FROM DISK = N'{quoted}'")
    assert file.stat().st_size > 0
