"""Devices of the SQL Server stand-in's backups: stripes, what may be overwritten, what a broken one is called."""

from __future__ import annotations

from typing import Any

import pymssql
import pytest

from lab.settings import HOST
from lab.testing.sql_server import WAIT_SECONDS, LabSqlServer, start_in_thread, wait_until_half_done

pytestmark = pytest.mark.lab

ROWS = 20_000


@pytest.fixture
def database(lab_sql_server: LabSqlServer) -> str:
    return filled(lab_sql_server)


def filled(server: LabSqlServer) -> str:
    name = server.new_database()
    server.run(
        "CREATE TABLE t (a INT, b NVARCHAR(100))",
        f"WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) "
        "INSERT INTO t SELECT i, N'a row of some length ' + CAST(i AS NVARCHAR(9)) FROM n OPTION (MAXRECURSION 0)",
        database=name,
    )
    return name


def disks(database: str, *numbers: int) -> str:
    return ", ".join(f"DISK = N'{database}-{number}.bak'" for number in numbers)


def refused(server: LabSqlServer, statement: str) -> int:
    with pytest.raises(pymssql.Error) as error:
        server.run(statement)
    return int(error.value.args[0])


def test_stripes_are_one_backup_whatever_their_order(lab_sql_server: LabSqlServer, database: str) -> None:
    lab_sql_server.run(f"BACKUP DATABASE [{database}] TO {disks(database, 1, 2, 3)} WITH CHECKSUM")
    files = [lab_sql_server.folder / "backup" / f"{database}-{number}.bak" for number in (1, 2, 3)]
    sizes = [file.stat().st_size for file in files]
    assert min(sizes) > max(sizes) / 2
    lab_sql_server.run(
        f"RESTORE VERIFYONLY FROM {disks(database, 2, 3, 1)} WITH CHECKSUM",
        f"RESTORE DATABASE [{database}] FROM {disks(database, 3, 1, 2)} WITH REPLACE, CHECKSUM",
    )
    assert lab_sql_server.run("SELECT COUNT(*), MAX(a) FROM t", database=database) == [(ROWS, ROWS)]
    families = (
        "SELECT f.family_sequence_number, f.physical_device_name FROM msdb.dbo.backupset AS s "
        "JOIN msdb.dbo.backupmediafamily AS f ON f.media_set_id = s.media_set_id "
        f"WHERE s.database_name = N'{database}' ORDER BY f.family_sequence_number"
    )
    assert lab_sql_server.run(families) == [(number, f"{database}-{number}.bak") for number in (1, 2, 3)]
    with lab_sql_server.connect(as_dict=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"RESTORE LABELONLY FROM {disks(database, 1, 2, 3)}")
        label: Any = cursor.fetchone()
    assert (label["FamilyCount"], label["FamilySequenceNumber"]) == (3, 1)


def test_a_restore_needs_every_stripe_and_no_stranger(lab_sql_server: LabSqlServer, database: str) -> None:
    lab_sql_server.run(
        f"BACKUP DATABASE [{database}] TO {disks(database, 1, 2)}", f"BACKUP DATABASE [{database}] TO DISK = N'o.bak'"
    )
    before = lab_sql_server.run("SELECT COUNT(*) FROM t", database=database)
    restore = f"RESTORE DATABASE [{database}] FROM {{}} WITH REPLACE"
    assert refused(lab_sql_server, restore.format(disks(database, 1))) == 3132
    assert refused(lab_sql_server, restore.format(disks(database, 1, 1))) == 3227
    assert refused(lab_sql_server, restore.format(f"{disks(database, 1)}, DISK = N'o.bak'")) == 3258
    assert refused(lab_sql_server, restore.format(f"{disks(database, 1)}, DISK = N'{database}-9.bak'")) == 3201
    assert lab_sql_server.run("SELECT COUNT(*) FROM t", database=database) == before


def test_a_striped_backup_leaves_no_stripe_where_one_cannot_be_written(
    lab_sql_server: LabSqlServer, database: str
) -> None:
    statement = f"BACKUP DATABASE [{database}] TO {disks(database, 1)}, DISK = N'no/such/folder.bak'"
    assert refused(lab_sql_server, statement) == 3201
    assert not (lab_sql_server.folder / "backup" / f"{database}-1.bak").exists()


def test_devices_are_of_one_kind_and_not_too_many(lab_sql_server: LabSqlServer, database: str) -> None:
    backup = f"BACKUP DATABASE [{database}] TO"
    assert refused(lab_sql_server, f"{backup} {disks(database, 1)}, URL = N's3://127.0.0.1:1/b/k'") == 3011
    assert refused(lab_sql_server, f"{backup} {disks(database, *range(65))}") == 3205


def test_a_device_that_is_named_twice_is_in_use(lab_sql_server: LabSqlServer, database: str) -> None:
    file = lab_sql_server.folder / "backup" / f"{database}-1.bak"
    for again in (f"{database}-1.bak", str(file)):
        statement = f"BACKUP DATABASE [{database}] TO {disks(database, 1)}, DISK = N'{again}' WITH FORMAT"
        assert refused(lab_sql_server, statement) == 3201
        assert not file.exists()
    url = f"URL = N's3://{HOST}:1/bucket/{database}.bak'"
    assert refused(lab_sql_server, f"BACKUP DATABASE [{database}] TO {url}, {url}") == 3201


def test_a_file_that_a_backup_writes_to_is_nobody_elses(lab_sql_server: LabSqlServer, database: str) -> None:
    other = lab_sql_server.new_database()
    with lab_sql_server.slowed(backup_seconds=2):
        backup = f"BACKUP DATABASE [{database}] TO {disks(database, 1)}"
        thread, outcome = start_in_thread(lambda: lab_sql_server.run(backup, appname=database))
        wait_until_half_done(lab_sql_server, database)
        for statement in (
            f"RESTORE VERIFYONLY FROM {disks(database, 1)}",
            f"RESTORE HEADERONLY FROM {disks(database, 1)}",
            f"BACKUP DATABASE [{other}] TO {disks(database, 1)} WITH FORMAT",
        ):
            with pytest.raises(pymssql.Error, match="Operating system error 32") as error:
                lab_sql_server.run(statement)
            assert error.value.args[0] == 3201
        thread.join(WAIT_SECONDS)
    assert outcome == [[]]
    lab_sql_server.run(f"RESTORE VERIFYONLY FROM {disks(database, 1)}")


def test_an_empty_device_is_no_backup(lab_sql_server: LabSqlServer, database: str) -> None:
    (lab_sql_server.folder / "backup" / f"{database}-1.bak").touch()
    assert refused(lab_sql_server, f"RESTORE HEADERONLY FROM {disks(database, 1)}") == 3254


def test_a_backup_that_a_crash_cut_off_is_incomplete(own_sql_server: LabSqlServer) -> None:
    database = filled(own_sql_server)
    backup = f"BACKUP DATABASE [{database}] TO {disks(database, 1)} WITH CHECKSUM"
    with own_sql_server.crashing(40), pytest.raises(pymssql.Error):
        own_sql_server.run(backup)
    assert refused(own_sql_server, f"RESTORE VERIFYONLY FROM {disks(database, 1)}") == 3256
    assert refused(own_sql_server, f"BACKUP LOG [{database}] TO DISK = N'log.bak'") == 4214
    assert own_sql_server.run("SELECT COUNT(*) FROM msdb.dbo.backupset") == [(0,)]
    own_sql_server.run(f"{backup}, FORMAT", f"RESTORE VERIFYONLY FROM {disks(database, 1)} WITH CHECKSUM")


def test_a_restore_that_a_crash_cut_off_can_be_done_again(own_sql_server: LabSqlServer) -> None:
    database = filled(own_sql_server)
    restore = f"RESTORE DATABASE [{database}] FROM {disks(database, 1)} WITH REPLACE, CHECKSUM"
    own_sql_server.run(f"BACKUP DATABASE [{database}] TO {disks(database, 1)} WITH CHECKSUM")
    with own_sql_server.crashing(40), pytest.raises(pymssql.Error):
        own_sql_server.run(restore)
    assert refused(own_sql_server, f"RESTORE DATABASE [{database}] WITH RECOVERY") == 4333
    own_sql_server.run(restore)
    assert own_sql_server.run("SELECT COUNT(*) FROM t", database=database) == [(ROWS,)]
