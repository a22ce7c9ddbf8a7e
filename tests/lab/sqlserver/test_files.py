"""The files of the SQL Server stand-in's databases: where they lie and how much of them is in use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pymssql
import pytest

from lab.testing.server import new_settings
from lab.testing.sql_server import LabSqlServer

pytestmark = pytest.mark.lab


def files(server: LabSqlServer, database: str) -> list[tuple[Any, ...]]:
    query = "SELECT name, type_desc, physical_name, FILEPROPERTY(name, N'SpaceUsed') FROM sys.database_files"
    return server.run(f"USE [{database}]; {query} ORDER BY file_id")


def test_a_database_tells_its_own_files(lab_sql_server: LabSqlServer) -> None:
    database = lab_sql_server.new_database()
    (data, log) = files(lab_sql_server, database)
    assert data[:3] == (database, "ROWS", str(lab_sql_server.folder / "data" / f"{database}.mdf"))
    assert log[:3] == (f"{database}_log", "LOG", str(lab_sql_server.folder / "log" / f"{database}_log.ldf"))
    assert lab_sql_server.run(f"USE [{database}]; SELECT FILEPROPERTY(N'master', N'SpaceUsed')") == [(None,)]


def test_the_space_in_use_is_that_of_the_rows(lab_sql_server: LabSqlServer) -> None:
    database = lab_sql_server.new_database()
    before = files(lab_sql_server, database)[0][3]
    with lab_sql_server.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a INT, b NVARCHAR(4000))")
        cursor.executemany("INSERT INTO t VALUES (%d, %s)", [(number, "x" * 4000) for number in range(100)])
        after = files(lab_sql_server, database)[0][3]
    assert 50 <= after - before <= 110


def test_there_are_no_files_of_a_database_that_is_not_there(lab_sql_server: LabSqlServer) -> None:
    with pytest.raises(pymssql.Error) as error:
        files(lab_sql_server, "nowhere")
    assert error.value.args[0] == 911


def test_a_server_whose_folders_are_links_shows_where_they_lead(tmp_path: Path) -> None:
    server, volume = LabSqlServer(new_settings(tmp_path / "lab")), tmp_path / "volume"
    volume.mkdir()
    server.folder.mkdir(parents=True)
    for name in ("data", "log"):
        (server.folder / name).symlink_to(volume)
    server.start()
    try:
        database = server.new_database()
        assert [row[2] for row in files(server, database)] == [
            str(volume / f"{database}.mdf"),
            str(volume / f"{database}_log.ldf"),
        ]
        server.crash_and_restart()
        assert len(files(server, database)) == 2
    finally:
        server.stop()
