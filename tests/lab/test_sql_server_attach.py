"""Databases of the SQL Server stand-in made of files that are there already."""

from __future__ import annotations

import shutil
from pathlib import Path

import pymssql
import pytest

from tests.support.sql_server import LabSqlServer, run_on

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


def copied(server: LabSqlServer, database: str, to: Path) -> tuple[Path, Path]:
    """The database's files as a snapshot of their volume has them, without a word to the server."""
    to.mkdir()
    for folder, name in (("data", f"{database}.mdf"), ("log", f"{database}_log.ldf")):
        for file in (server.folder / folder).glob(f"{name}*"):
            shutil.copy(file, to / file.name)
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
    files = (
        lab_sql_server.folder / "data" / f"{database}.mdf",
        lab_sql_server.folder / "log" / f"{database}_log.ldf",
    )
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
