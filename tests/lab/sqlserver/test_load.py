"""Loading T-SQL scripts into the SQL Server stand-in, a whole foreign one among them."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from lab.load_sql import Loaded, ScriptError, load_script
from lab.sqlserver.tsql.script import RepetitionError, ends_with_go, split_batches
from lab.testing.sql_server import LabSqlServer
from tests.stamp import CHINOOK

CHINOOK_ROWS = {
    "Album": 347,
    "Artist": 275,
    "Customer": 59,
    "Employee": 8,
    "Genre": 25,
    "Invoice": 412,
    "InvoiceLine": 2240,
    "MediaType": 5,
    "Playlist": 18,
    "PlaylistTrack": 8715,
    "Track": 3503,
}


@pytest.mark.lab
@pytest.mark.skipif(not CHINOOK.exists(), reason=f"{CHINOOK} is absent: it is not part of the repository")
def test_chinook_loads_whole_and_comes_back_from_a_backup(lab_sql_server: LabSqlServer) -> None:
    loaded = load_script(CHINOOK, "master", lab_sql_server.connect_options)
    assert loaded == Loaded(batches=37, database="Chinook", tables=11, rows=sum(CHINOOK_ROWS.values()))
    before = {table: state(lab_sql_server, table) for table in CHINOOK_ROWS}
    assert {table: rows for table, (rows, _) in before.items()} == CHINOOK_ROWS
    lab_sql_server.run(
        "BACKUP DATABASE [Chinook] TO DISK = N'Chinook.bak' WITH FORMAT, CHECKSUM, COMPRESSION",
        "DROP DATABASE [Chinook]",
        "RESTORE DATABASE [Chinook] FROM DISK = N'Chinook.bak' WITH CHECKSUM",
        "DBCC CHECKDB (N'Chinook') WITH NO_INFOMSGS, ALL_ERRORMSGS",
    )
    assert {table: state(lab_sql_server, table) for table in CHINOOK_ROWS} == before


@pytest.mark.lab
def test_a_script_that_fails_names_the_batch_its_line_and_what_the_server_said(
    lab_sql_server: LabSqlServer, tmp_path: Path
) -> None:
    database = lab_sql_server.new_database()
    script = tmp_path / "bad.sql"
    script.write_text("CREATE TABLE t (a INT)\nGO\n\n-- the second\nINSERT INTO nowhere VALUES (1)\nGO\nSELECT 1\n")
    with pytest.raises(ScriptError) as failed:
        load_script(script, database, lab_sql_server.connect_options)
    assert str(failed.value).splitlines() == [
        "The script bad.sql failed in batch 2, which begins in line 4 with: -- the second",
        "The server said: Invalid object name 'nowhere'. (error 208)",
        "The 1 batches before it have been carried out; mend the script and load it into an empty database.",
    ]


@pytest.mark.lab
def test_a_script_reports_what_is_in_the_database_after_it(lab_sql_server: LabSqlServer, tmp_path: Path) -> None:
    database = lab_sql_server.new_database()
    script = tmp_path / "good.sql"
    script.write_text("CREATE TABLE t (a INT)\ngo\nINSERT INTO t VALUES (1), (2)\nGO 3\n")
    assert load_script(script, database, lab_sql_server.connect_options) == Loaded(4, database, 1, 6)


@pytest.mark.lab
@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF8, "utf-8"),
        (b"", "utf-8"),
    ],
)
def test_a_script_may_be_in_any_encoding_that_ssms_writes(
    lab_sql_server: LabSqlServer, tmp_path: Path, mark: bytes, encoding: str
) -> None:
    database = lab_sql_server.new_database()
    script = tmp_path / "menu.sql"
    text = "CREATE TABLE t (a NVARCHAR(20))\r\nGO\r\nINSERT INTO t VALUES (N'Crème 蛋 🍮')\r\nGO\r\n"
    script.write_bytes(mark + text.encode(encoding))

    assert load_script(script, database, lab_sql_server.connect_options) == Loaded(2, database, 1, 1)
    assert lab_sql_server.run("SELECT a FROM t", database=database) == [("Crème 蛋 🍮",)]


@pytest.mark.lab
def test_the_ends_of_lines_inside_a_string_arrive_as_they_are(lab_sql_server: LabSqlServer, tmp_path: Path) -> None:
    database = lab_sql_server.new_database()
    script = tmp_path / "lines.sql"
    script.write_bytes(b"CREATE TABLE t (a NVARCHAR(20)) -- one\r\nGO\r\nINSERT INTO t VALUES (N'a\r\nb\nc')\r\nGO\r\n")

    load_script(script, database, lab_sql_server.connect_options)
    assert lab_sql_server.run("SELECT a FROM t", database=database) == [("a\r\nb\nc",)]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"SELECT 'Cr\xe8me'\nGO\n", "is not in UTF-8 (invalid continuation byte at byte 10)"),
        (b"\x89PNG\r\n\x1a\n", "is not in UTF-8 (invalid start byte at byte 0)"),
        ("SELECT 1".encode("utf-16-le"), "holds zero bytes"),
        (codecs.BOM_UTF16_LE + "SELECT 1".encode("utf-16-le")[:-1], "is not in UTF-16-LE (truncated data at byte 16)"),
        (codecs.BOM_UTF16_BE + b"\xdc\x00\x00a", "is not in UTF-16-BE (illegal encoding at byte 2)"),
    ],
)
def test_a_file_that_is_no_text_is_refused_in_one_line_before_anything_is_run(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    script = tmp_path / "dump.sql"
    script.write_bytes(content)
    with pytest.raises(ScriptError) as refused:
        load_script(script, "master", {"server": "nobody.invalid"})
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"The script dump.sql {complaint}, so ")
    assert line.endswith("none of it was run. Save it as UTF-8, or as UTF-16 with a byte order mark.")


@pytest.mark.parametrize(
    ("script", "batches"),
    [
        ("SELECT 1\nGO\nSELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT 1\n  go  -- next\nSELECT 2\ngO", ["SELECT 1", "SELECT 2"]),
        ("GO\nGO\nSELECT 1\nGO\n\n", ["SELECT 1"]),
        ("SELECT 'a\nGO\nb'\nGO", ["SELECT 'a\nGO\nb'"]),
        ("/* a\nGO\n/* b */\nGO\n*/ SELECT 1", ["/* a\nGO\n/* b */\nGO\n*/ SELECT 1"]),
        ("-- it's\nGO\nSELECT 1", ["-- it's", "SELECT 1"]),
        ("SELECT 1 AS [it's]\nGO\nSELECT 2", ["SELECT 1 AS [it's]", "SELECT 2"]),
        ("GOTO x\nGOING\nSELECT GO", ["GOTO x\nGOING\nSELECT GO"]),
        ("SELECT 1\r\nGO\r\nSELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT 1\n/* a\n*/ GO\nSELECT 2", ["SELECT 1\n/* a\n*/ GO\nSELECT 2"]),
        ("SELECT 'open\nGO\nSELECT 2", ["SELECT 'open", "SELECT 2"]),
        ("SELECT 1 /* open\nGO\nSELECT 2", ["SELECT 1 /* open\nGO\nSELECT 2"]),
        ("SELECT 1 ´ 2\nGO 2\nSELECT 3", ["SELECT 1 ´ 2", "SELECT 1 ´ 2", "SELECT 3"]),
    ],
)
def test_go_separates_batches_where_it_stands_alone(script: str, batches: list[str]) -> None:
    assert [batch.text for batch in split_batches(script)] == batches


def test_every_batch_knows_its_line_also_when_it_is_repeated() -> None:
    script = "\n\nSELECT 1\nGO 2\n\n-- two\nSELECT 2\nGO\nSELECT 3"
    assert [(batch.number, batch.line) for batch in split_batches(script)] == [(1, 3), (2, 3), (3, 6), (4, 9)]


def test_a_batch_repeated_without_end_is_made_one_at_a_time() -> None:
    batches = split_batches(f"SELECT 1\nGO {2**31 - 1}\n")
    assert [next(batches).number, next(batches).number] == [1, 2]


@pytest.mark.parametrize("count", [str(2**31), "99999999999", "9" * 5000])
def test_a_go_that_counts_too_far_is_refused_before_anything_is_run(tmp_path: Path, count: str) -> None:
    script = tmp_path / "often.sql"
    script.write_text(f"SELECT 1\nGO\nSELECT 2\nGO {count}\n")
    with pytest.raises(RepetitionError, match="The GO in line 4 asks for more than 2147483647 repetitions, so nothing"):
        load_script(script, "master", {"server": "nobody.invalid"})


@pytest.mark.parametrize(
    ("script", "ends"),
    [
        ("SELECT 1\nGO", True),
        ("SELECT 1\ngo 2 -- twice\n", True),
        ("SELECT 1\nGO\nSELECT 2\n", False),
        ("SELECT GO", False),
    ],
)
def test_a_script_ends_with_go_where_nothing_follows_it(script: str, ends: bool) -> None:
    assert ends_with_go(script) is ends


def state(server: LabSqlServer, table: str) -> tuple[int, int]:
    rows = server.run(f"SELECT COUNT_BIG(*), CHECKSUM_AGG(BINARY_CHECKSUM(*)) FROM dbo.[{table}]", database="Chinook")
    return rows[0]
