"""Databases of the SQL Server stand-in made of files that are there already."""

from __future__ import annotations

import shutil
from pathlib import Path

import pymssql
import pytest

from lab.testing.sql_server import LabSqlServer, copy_live_files, run_on

pytestmark = pytest.mark.lab


@pytest.fixture
def database(lab_sql_server: LabSqlServer) -> str:
    name = lab_sql_server.new_database()
    lab_sql_server.run("CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1), (2), (3)", database=name)
    return name


def attach(name: str, *files: Path) -> str:
    return f"CREATE DATABASE [{name}] ON {', '.join(f'(FILENAME = N{str(file)!r})' for file in files)} FOR ATTACH"


def refused(server: LabSqlServer, statement: str) -> int:
    with pytest.raises(pymssql.Error) as error:
        server.run(statement)
    return int(error.value.args[0])


def own_files(server: LabSqlServer, database: str) -> tuple[Path, Path]:
    return server.folder / "data" / f"{database}.mdf", server.folder / "log" / f"{database}_log.ldf"


def copied(server: LabSqlServer, database: str, to: Path) -> tuple[Path, Path]:
    """The database's files as a snapshot of their volume has them, without a word to the server."""
    copy_live_files(own_files(server, database), to)
    return to / f"{database}.mdf", to / f"{database}_log.ldf"


def test_files_copied_from_under_a_running_server_have_what_was_committed(
    lab_sql_server: LabSqlServer, database: str, tmp_path: Path
) -> None:
    lab_sql_server.run(f"BACKUP DATABASE [{database}] TO DISK = N'{database}.bak'")
    with lab_sql_server.connect(database) as connection:
        run_on(connection, "INSERT INTO t VALUES (4)", "BEGIN TRAN; INSERT INTO t VALUES (5)")
        files = copied(lab_sql_server, database, tmp_path / "volume")
    copy = f"{database}_copy"
    lab_sql_server.run(attach(copy, *files))
    assert lab_sql_server.run("SELECT a FROM t ORDER BY a", database=copy) == [(1,), (2,), (3,), (4,)]
    lab_sql_server.run(f"DBCC CHECKDB (N'{copy}') WITH NO_INFOMSGS, ALL_ERRORMSGS")
    places = f"SELECT physical_name FROM sys.master_files WHERE database_id = DB_ID(N'{copy}') ORDER BY file_id"
    assert lab_sql_server.run(places) == [(str(file),) for file in files]
    assert refused(lab_sql_server, f"BACKUP LOG [{copy}] TO DISK = N'x.bak'") == 4214
    lab_sql_server.run(
        f"BACKUP DATABASE [{copy}] TO DISK = N'{copy}.bak'", f"BACKUP LOG [{copy}] TO DISK = N'{copy}.trn'"
    )


def test_the_files_of_a_database_that_went_offline_can_be_attached_again(
    lab_sql_server: LabSqlServer, database: str
) -> None:
    files = own_files(lab_sql_server, database)
    lab_sql_server.run(f"ALTER DATABASE [{database}] SET OFFLINE", f"DROP DATABASE [{database}]")
    lab_sql_server.run(attach(database, *files))
    assert lab_sql_server.run("SELECT SUM(a) FROM t", database=database) == [(6,)]


def test_what_cannot_be_attached_is_refused_and_makes_no_database(
    lab_sql_server: LabSqlServer, database: str, tmp_path: Path
) -> None:
    data, log = copied(lab_sql_server, database, tmp_path / "volume")
    nothing, text = tmp_path / "nothing.mdf", tmp_path / "text.mdf"
    text.write_text("no database at all " * 1000)
    own = lab_sql_server.folder / "data" / f"{database}.mdf"
    assert refused(lab_sql_server, attach(f"{database}_2", nothing, log)) == 5120
    assert refused(lab_sql_server, attach(f"{database}_2", data, nothing)) == 5120
    assert refused(lab_sql_server, attach(f"{database}_2", own, log)) == 5120
    assert refused(lab_sql_server, attach(f"{database}_2", text, log)) == 5171
    assert refused(lab_sql_server, attach(f"{database}_2", data, text)) == 5172
    assert refused(lab_sql_server, attach(database, data, log)) == 1801
    assert lab_sql_server.run(f"SELECT COUNT(*) FROM sys.databases WHERE name = N'{database}_2'") == [(0,)]


@pytest.mark.parametrize(("place", "code"), [("nothing.mdf", 2), ("no/such/folder.mdf", 3)])
def test_a_missing_file_is_told_from_a_missing_folder(
    lab_sql_server: LabSqlServer, tmp_path: Path, place: str, code: int
) -> None:
    with pytest.raises(pymssql.Error, match=f"Operating system error {code}:"):
        lab_sql_server.run(attach("nothing", tmp_path / place))


def test_a_damaged_copy_is_attached_and_found_out_by_checkdb(
    lab_sql_server: LabSqlServer, database: str, tmp_path: Path
) -> None:
    lab_sql_server.run("CREATE TABLE u (a INT PRIMARY KEY)", "INSERT INTO u VALUES (1), (2)", database=database)
    lab_sql_server.run(f"ALTER DATABASE [{database}] SET OFFLINE")
    data, log = copied(lab_sql_server, database, tmp_path / "volume")
    content = bytearray(data.read_bytes())
    content[-8192:] = b"\xff" * 8192
    data.write_bytes(content)
    copy = f"{database}_copy"
    lab_sql_server.run(attach(copy, data, log))
    assert refused(lab_sql_server, f"DBCC CHECKDB (N'{copy}') WITH NO_INFOMSGS") == 8939


def test_a_database_goes_offline_and_on_with_its_chain(lab_sql_server: LabSqlServer, database: str) -> None:
    lab_sql_server.run(
        f"BACKUP DATABASE [{database}] TO DISK = N'{database}.bak'",
        f"ALTER DATABASE [{database}] SET OFFLINE",
        f"ALTER DATABASE [{database}] SET ONLINE",
        f"BACKUP LOG [{database}] TO DISK = N'{database}.trn'",
        f"BACKUP DATABASE [{database}] TO DISK = N'{database}-diff.bak' WITH DIFFERENTIAL",
    )


def test_files_put_in_an_offline_databases_place_are_what_comes_online(
    lab_sql_server: LabSqlServer, database: str, tmp_path: Path
) -> None:
    lab_sql_server.run(f"BACKUP DATABASE [{database}] TO DISK = N'{database}.bak'")
    with lab_sql_server.connect(database):
        copies = copied(lab_sql_server, database, tmp_path / "volume")
    lab_sql_server.run("DELETE FROM t", database=database)
    lab_sql_server.run(f"ALTER DATABASE [{database}] SET OFFLINE WITH ROLLBACK IMMEDIATE")
    for copy, own in zip(copies, own_files(lab_sql_server, database), strict=True):
        for file in copy.parent.glob(f"{copy.name}*"):
            shutil.copy(file, own.with_name(file.name))
    lab_sql_server.run(f"ALTER DATABASE [{database}] SET ONLINE")
    assert lab_sql_server.run("SELECT SUM(a) FROM t", database=database) == [(6,)]
    # Its backups so far say nothing of these files.
    assert refused(lab_sql_server, f"BACKUP LOG [{database}] TO DISK = N'x.bak'") == 4214
    assert refused(lab_sql_server, f"BACKUP DATABASE [{database}] TO DISK = N'x.bak' WITH DIFFERENTIAL") == 3035
    lab_sql_server.run("INSERT INTO t VALUES (4)", database=database)
    lab_sql_server.run(
        f"BACKUP DATABASE [{database}] TO DISK = N'{database}.bak' WITH INIT",
        f"RESTORE DATABASE [{database}] FROM DISK = N'{database}.bak' WITH REPLACE",
    )
    assert lab_sql_server.run("SELECT SUM(a) FROM t", database=database) == [(10,)]


def test_an_offline_database_whose_file_is_missing_stays_offline(lab_sql_server: LabSqlServer, database: str) -> None:
    data, _ = own_files(lab_sql_server, database)
    lab_sql_server.run(f"ALTER DATABASE [{database}] SET OFFLINE")
    data.rename(data.with_suffix(".away"))
    assert refused(lab_sql_server, f"ALTER DATABASE [{database}] SET ONLINE") == 5120
    state = f"SELECT state_desc FROM sys.databases WHERE name = N'{database}'"
    assert lab_sql_server.run(state) == [("OFFLINE",)]
    data.with_suffix(".away").rename(data)
    assert lab_sql_server.run(f"ALTER DATABASE [{database}] SET ONLINE", state) == [("ONLINE",)]


def test_a_database_that_is_restoring_can_be_dropped_and_restored_but_not_altered(
    lab_sql_server: LabSqlServer, database: str
) -> None:
    restore = f"RESTORE DATABASE [{database}] FROM DISK = N'{database}.bak' WITH"
    lab_sql_server.run(
        f"BACKUP DATABASE [{database}] TO DISK = N'{database}.bak'",
        f"{restore} REPLACE, NORECOVERY",
    )
    with pytest.raises(pymssql.Error, match="ALTER DATABASE is not permitted while a database is in the Restoring"):
        lab_sql_server.run(f"ALTER DATABASE [{database}] SET MULTI_USER")
    lab_sql_server.run(f"DROP DATABASE [{database}]")
    assert not own_files(lab_sql_server, database)[0].exists()
    lab_sql_server.run(f"{restore} NORECOVERY", f"RESTORE DATABASE [{database}] WITH RECOVERY")
    assert lab_sql_server.run("SELECT SUM(a) FROM t", database=database) == [(6,)]
