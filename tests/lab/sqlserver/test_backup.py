"""BACKUP and RESTORE of the SQL Server stand-in: what comes back, and what is written down."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lab.testing.sql_server import LabSqlServer, run_on
from tests.lab.sqlserver.backups import backup, checksum, database, with_names

__all__ = ["database"]

pytestmark = pytest.mark.lab

HISTORY = (
    "SELECT backup_set_uuid, name, database_name, backup_start_date, backup_finish_date, backup_size, "
    "compressed_backup_size, first_lsn, last_lsn, checkpoint_lsn, database_backup_lsn, is_copy_only, "
    "has_backup_checksums, is_damaged, type FROM msdb.dbo.backupset WHERE name = N'{}' ORDER BY backup_set_id"
)


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


def test_a_path_may_be_anywhere(lab_sql_server: LabSqlServer, database: str, tmp_path: Path) -> None:
    file = tmp_path / "o'brien [1].bak"
    quoted = str(file).replace("'", "''")
    lab_sql_server.run(f"BACKUP DATABASE [{database}] TO DISK = N'{quoted}'")
    lab_sql_server.run(f"RESTORE VERIFYONLY FROM DISK = N'{quoted}'")
    assert file.stat().st_size > 0
