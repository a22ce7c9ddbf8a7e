"""Which BACKUP and RESTORE the SQL Server stand-in refuses, and that a refusal changes nothing."""

from __future__ import annotations

import threading

import pytest

from lab.testing.sql_server import LabSqlServer
from tests.lab.sqlserver.backups import backup, checksum, database, refusal

__all__ = ["database"]

pytestmark = pytest.mark.lab


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
