"""Chains of full, differential and log backups of the SQL Server stand-in, and restores along them."""

from __future__ import annotations

import pytest

from lab.testing.sql_server import LabSqlServer
from tests.lab.sqlserver.chains import (
    add,
    back_up,
    back_up_log,
    database,
    header,
    refused,
    restore,
    restore_log,
    rows,
    server_time,
    state,
)

__all__ = ["database"]

pytestmark = pytest.mark.lab


def test_full_differential_and_logs_bring_back_every_row(lab_sql_server: LabSqlServer, database: str) -> None:
    back_up(lab_sql_server, database, "full")
    add(lab_sql_server, database, 4)
    back_up(lab_sql_server, database, "diff", "DIFFERENTIAL, COMPRESSION")
    add(lab_sql_server, database, 5)
    back_up_log(lab_sql_server, database, "log1")
    lab_sql_server.run("DELETE FROM t WHERE a = 1", "CREATE TABLE u (x INT)", database=database)
    add(lab_sql_server, database, 6)
    back_up_log(lab_sql_server, database, "log2")
    add(lab_sql_server, database, 7)
    restore(lab_sql_server, database, "full", "REPLACE, NORECOVERY")
    restore(lab_sql_server, database, "diff")
    restore_log(lab_sql_server, database, "log1")
    assert state(lab_sql_server, database) == "RESTORING"
    restore_log(lab_sql_server, database, "log2", "RECOVERY")
    assert rows(lab_sql_server, database) == [2, 3, 4, 5, 6]
    assert lab_sql_server.run("SELECT COUNT(*) FROM u", database=database) == [(0,)]
    lab_sql_server.run(f"DBCC CHECKDB (N'{database}') WITH NO_INFOMSGS, ALL_ERRORMSGS")
    assert lab_sql_server.run(
        "SELECT restore_type, recovery FROM msdb.dbo.restorehistory "
        f"WHERE destination_database_name = N'{database}' ORDER BY restore_history_id"
    ) == [("D", False), ("I", False), ("L", False), ("L", True)]


def test_logs_alone_bring_a_full_backup_forward(lab_sql_server: LabSqlServer, database: str) -> None:
    back_up(lab_sql_server, database, "full")
    add(lab_sql_server, database, 4)
    back_up(lab_sql_server, database, "diff", "DIFFERENTIAL")
    add(lab_sql_server, database, 5)
    back_up_log(lab_sql_server, database, "log")
    restore(lab_sql_server, database, "full", "REPLACE, NORECOVERY")
    restore_log(lab_sql_server, database, "log")
    lab_sql_server.run(f"RESTORE DATABASE [{database}] WITH RECOVERY")
    assert rows(lab_sql_server, database) == [1, 2, 3, 4, 5]
    assert refused(lab_sql_server, f"RESTORE DATABASE [{database}] WITH RECOVERY") == 3153


def test_stopat_brings_back_exactly_the_rows_of_that_moment(lab_sql_server: LabSqlServer, database: str) -> None:
    back_up(lab_sql_server, database, "full")
    moments = []
    for number in range(4, 10):
        add(lab_sql_server, database, number)
        moments.append(server_time(lab_sql_server))
        if number == 6:
            back_up_log(lab_sql_server, database, "log1")
    lab_sql_server.run("DROP TABLE t", database=database)
    back_up_log(lab_sql_server, database, "log2")
    for last, moment in zip(range(4, 10), moments, strict=True):
        restore(lab_sql_server, database, "full", f"REPLACE, NORECOVERY, STOPAT = N'{moment}'")
        restore_log(lab_sql_server, database, "log1", f"RECOVERY, STOPAT = N'{moment}'")
        if last > 6:
            assert state(lab_sql_server, database) == "RESTORING"  # the first log does not reach that moment
            restore_log(lab_sql_server, database, "log2", f"RECOVERY, STOPAT = N'{moment}'")
        assert rows(lab_sql_server, database) == list(range(1, last + 1))


def test_a_transaction_that_was_not_committed_is_not_in_the_log(lab_sql_server: LabSqlServer, database: str) -> None:
    back_up(lab_sql_server, database, "full")
    with lab_sql_server.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN TRAN; INSERT INTO t VALUES (4, N'late')")
        back_up_log(lab_sql_server, database, "log1")
        cursor.execute("COMMIT")
    back_up_log(lab_sql_server, database, "log2")
    restore(lab_sql_server, database, "full", "REPLACE, NORECOVERY")
    restore_log(lab_sql_server, database, "log1", "RECOVERY")
    assert rows(lab_sql_server, database) == [1, 2, 3]
    restore(lab_sql_server, database, "full", "REPLACE, NORECOVERY")
    restore_log(lab_sql_server, database, "log1")
    restore_log(lab_sql_server, database, "log2", "RECOVERY")
    assert rows(lab_sql_server, database) == [1, 2, 3, 4]


def test_the_log_survives_checkpoints_and_a_crash(own_sql_server: LabSqlServer) -> None:
    database = own_sql_server.new_database()
    own_sql_server.run("CREATE TABLE t (a INT, b NVARCHAR(4000))", database=database)
    back_up(own_sql_server, database, "full")
    many = (
        "WITH n AS (SELECT {0} AS i UNION ALL SELECT i + 1 FROM n WHERE i < {0} + 999) "
        f"INSERT INTO t SELECT i, N'{'x' * 3000}' FROM n OPTION (MAXRECURSION 0)"
    )
    for start in (0, 1000, 2000):
        own_sql_server.run(many.format(start), database=database)
    own_sql_server.crash_and_restart()
    add(own_sql_server, database, 3000)
    back_up_log(own_sql_server, database, "log")
    restore(own_sql_server, database, "full", "REPLACE, NORECOVERY")
    restore_log(own_sql_server, database, "log", "RECOVERY")
    assert rows(own_sql_server, database) == list(range(3001))


def test_headers_say_how_backups_hang_together(lab_sql_server: LabSqlServer, database: str) -> None:
    back_up(lab_sql_server, database, "full")
    add(lab_sql_server, database, 4)
    back_up_log(lab_sql_server, database, "log1")
    back_up(lab_sql_server, database, "copy", "COPY_ONLY")
    back_up_log(lab_sql_server, database, "copied", "COPY_ONLY")
    back_up_log(lab_sql_server, database, "log2")
    back_up(lab_sql_server, database, "diff", "DIFFERENTIAL")
    full, log1, copied, log2, diff = (
        header(lab_sql_server, database, name) for name in ("full", "log1", "copied", "log2", "diff")
    )
    assert [each["BackupType"] for each in (full, log1, log2, diff)] == [1, 2, 2, 5]
    assert log1["FirstLSN"] <= full["LastLSN"] < log1["LastLSN"] == log2["FirstLSN"] < log2["LastLSN"]
    assert (copied["FirstLSN"], copied["IsCopyOnly"]) == (log2["FirstLSN"], True)
    assert [each["BeginsLogChain"] for each in (full, log1, log2)] == [False, True, False]
    assert (diff["DifferentialBaseLSN"], diff["DifferentialBaseGUID"]) == (full["CheckpointLSN"], full["BackupSetGUID"])
    assert diff["DatabaseBackupLSN"] == log1["DatabaseBackupLSN"] == full["CheckpointLSN"]
    assert len({each["RecoveryForkID"] for each in (full, log1, log2, diff)}) == 1
    assert lab_sql_server.run(
        "SELECT type, begins_log_chain, differential_base_guid FROM msdb.dbo.backupset "
        f"WHERE database_name = N'{database}' AND is_copy_only = 0 ORDER BY backup_set_id"
    ) == [("D", False, None), ("L", True, None), ("L", False, None), ("I", False, full["BackupSetGUID"])]
    assert lab_sql_server.run(
        "SELECT differential_base_lsn, differential_base_guid, redo_start_lsn FROM sys.master_files "
        f"WHERE database_id = DB_ID(N'{database}') AND file_id = 1"
    ) == [(full["CheckpointLSN"], full["BackupSetGUID"], None)]
    restore(lab_sql_server, database, "full", "REPLACE, NORECOVERY")
    assert lab_sql_server.run(
        f"SELECT redo_start_lsn FROM sys.master_files WHERE database_id = DB_ID(N'{database}') AND file_id = 1"
    ) == [(full["LastLSN"],)]
    lab_sql_server.run(f"RESTORE DATABASE [{database}] WITH RECOVERY")
    back_up(lab_sql_server, database, "after")
    assert header(lab_sql_server, database, "after")["RecoveryForkID"] != full["RecoveryForkID"]


def test_a_differential_backup_holds_only_what_has_changed(lab_sql_server: LabSqlServer, database: str) -> None:
    lab_sql_server.run(
        "WITH n AS (SELECT 10 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
        "INSERT INTO t SELECT i, N'padding' FROM n OPTION (MAXRECURSION 0)",
        database=database,
    )
    back_up(lab_sql_server, database, "full")
    lab_sql_server.run("UPDATE t SET b = N'changed' WHERE a = 1", database=database)
    back_up(lab_sql_server, database, "diff", "DIFFERENTIAL")
    full, diff = (header(lab_sql_server, database, name)["BackupSize"] for name in ("full", "diff"))
    assert diff < full / 10


def test_a_differential_backup_follows_the_last_full_one_that_was_no_copy(
    lab_sql_server: LabSqlServer, database: str
) -> None:
    back_up(lab_sql_server, database, "full")
    back_up(lab_sql_server, database, "copy", "COPY_ONLY")
    add(lab_sql_server, database, 4)
    back_up(lab_sql_server, database, "diff", "DIFFERENTIAL")
    restore(lab_sql_server, database, "copy", "REPLACE, NORECOVERY")
    statement = f"RESTORE DATABASE [{database}] FROM DISK = N'{database}-diff.bak' WITH RECOVERY"
    assert refused(lab_sql_server, statement) == 3136
    restore(lab_sql_server, database, "full")
    lab_sql_server.run(statement)
    assert rows(lab_sql_server, database) == [1, 2, 3, 4]


def test_a_copy_of_the_log_takes_nothing_away_from_it(lab_sql_server: LabSqlServer, database: str) -> None:
    back_up(lab_sql_server, database, "full")
    add(lab_sql_server, database, 4)
    back_up_log(lab_sql_server, database, "copy", "COPY_ONLY")
    back_up_log(lab_sql_server, database, "log")
    restore(lab_sql_server, database, "full", "REPLACE, NORECOVERY")
    restore_log(lab_sql_server, database, "log", "RECOVERY")
    assert rows(lab_sql_server, database) == [1, 2, 3, 4]


def test_the_tail_of_the_log_saves_the_last_rows(lab_sql_server: LabSqlServer, database: str) -> None:
    back_up(lab_sql_server, database, "full")
    add(lab_sql_server, database, 4)
    with lab_sql_server.connect(database):
        statement = f"BACKUP LOG [{database}] TO DISK = N'{database}-tail.bak' WITH NORECOVERY"
        assert refused(lab_sql_server, statement) == 3101
    back_up_log(lab_sql_server, database, "tail", "NORECOVERY")
    assert state(lab_sql_server, database) == "RESTORING"
    restore(lab_sql_server, database, "full")  # no REPLACE is needed: nothing can be lost
    restore_log(lab_sql_server, database, "tail", "RECOVERY")
    assert rows(lab_sql_server, database) == [1, 2, 3, 4]
