"""The stand-in reads the T-SQL that Perennial sends, and Microsoft's own grammar accepts the same statements."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.tsql import statements as s
from lab.sqlserver.tsql.batch_grammar import parse_batch
from lab.sqlserver.tsql.tokens import Kind, quote_name, tokenize
from lab.testing.deadlines import within

URL = "s3://127.0.0.1:15601/perennial-vault/recovery-points/acme/acme-daily-20261123/full-01.bak"

# Every shape of statement that Perennial sends, with the kind of statement it must be read as.
SHAPES: list[tuple[str, type]] = [
    (
        (
            f"BACKUP DATABASE [x] TO URL = N'{URL}' WITH NAME = N'acme-daily-20261123/full-01', "
            "CHECKSUM, COMPRESSION, COPY_ONLY, FORMAT, STATS = 5"
        ),
        s.Backup,
    ),
    (f"BACKUP DATABASE [x] TO URL = N'{URL}' WITH NAME = N'n', CHECKSUM, COMPRESSION, STATS = 5", s.Backup),
    ("BACKUP DATABASE [x] TO DISK = N'/backup/x.bak' WITH NAME = N'n', CHECKSUM, STATS = 5", s.Backup),
    (f"BACKUP DATABASE [x] TO URL = N'{URL}', URL = N'{URL}2' WITH DIFFERENTIAL, CHECKSUM", s.Backup),
    (f"BACKUP LOG [x] TO URL = N'{URL}' WITH NAME = N'n', CHECKSUM, NORECOVERY", s.Backup),
    (f"RESTORE LOG [x] FROM URL = N'{URL}' WITH CHECKSUM, NORECOVERY, STOPAT = N'2026-11-23T09:00:00'", s.Restore),
    ("RESTORE DATABASE [x] WITH RECOVERY", s.Restore),
    ("ALTER USER [x] WITH LOGIN = [y]", s.AlterUser),
    ("CREATE DATABASE [x] ON (FILENAME = N'/d/x.mdf'), (FILENAME = N'/d/x.ldf') FOR ATTACH", s.CreateDatabase),
    (f"RESTORE LABELONLY FROM URL = N'{URL}'", s.RestoreReport),
    (f"RESTORE VERIFYONLY FROM URL = N'{URL}' WITH CHECKSUM", s.RestoreReport),
    (f"RESTORE HEADERONLY FROM URL = N'{URL}'", s.RestoreReport),
    (f"RESTORE FILELISTONLY FROM URL = N'{URL}'", s.RestoreReport),
    ("ALTER DATABASE [x] SET SINGLE_USER WITH ROLLBACK IMMEDIATE", s.AlterDatabase),
    ("ALTER DATABASE [x] SET MULTI_USER", s.AlterDatabase),
    ("ALTER DATABASE [x] SET OFFLINE WITH ROLLBACK IMMEDIATE", s.AlterDatabase),
    ("ALTER DATABASE [x] SET ONLINE", s.AlterDatabase),
    (
        (
            f"RESTORE DATABASE [x] FROM URL = N'{URL}' WITH MOVE N'x' TO N'/d/x.mdf', MOVE N'x_log' TO N'/l/x.ldf', "
            "REPLACE, CHECKSUM, RECOVERY, STATS = 5"
        ),
        s.Restore,
    ),
    ("DBCC CHECKDB (N'x') WITH NO_INFOMSGS, ALL_ERRORMSGS", s.CheckDatabase),
    (
        (
            "SELECT s.backup_set_uuid, s.name, f.physical_device_name FROM msdb.dbo.backupset AS s "
            "JOIN msdb.dbo.backupmediafamily AS f ON f.media_set_id = s.media_set_id WHERE s.name = N'n'"
        ),
        s.Query,
    ),
    (
        (
            "SELECT r.session_id, r.command, r.percent_complete FROM sys.dm_exec_requests AS r "
            "JOIN sys.dm_exec_sessions AS s ON s.session_id = r.session_id WHERE s.program_name = N'p'"
        ),
        s.Query,
    ),
    ("KILL 57", s.Kill),
    ("DECLARE @r int", s.Block),
    (
        (
            "EXEC sp_getapplock @Resource = N'perennial-backup-1', @LockMode = N'Exclusive', "
            "@LockOwner = N'Session', @LockTimeout = 0"
        ),
        s.Execute,
    ),
    ("EXEC sp_releaseapplock @Resource = N'perennial-backup-1', @LockOwner = N'Session'", s.Execute),
    (
        (
            "IF NOT EXISTS (SELECT 1 FROM sys.credentials WHERE name = N's3://127.0.0.1:15601/perennial-vault') "
            "CREATE CREDENTIAL [s3://127.0.0.1:15601/perennial-vault] WITH IDENTITY = N'S3 Access Key', "
            "SECRET = N'key:secret'"
        ),
        s.If,
    ),
]

names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r\n\t"), min_size=1, max_size=40
).filter(lambda name: name.strip() == name)


@pytest.mark.parametrize(("text", "kind"), SHAPES, ids=[text[:40] for text, _ in SHAPES])
def test_every_statement_of_perennial_is_read_as_what_it_is(text: str, kind: type) -> None:
    (statement,) = parse_batch(text)
    assert isinstance(statement, kind)


def test_microsofts_grammar_accepts_every_statement_of_perennial(tmp_path: Path) -> None:
    assert refused_by_microsoft(tmp_path, [text for text, _ in SHAPES]) == []


def test_microsofts_grammar_is_a_judge_that_refuses(tmp_path: Path) -> None:
    assert len(refused_by_microsoft(tmp_path, ["ALTER DATABASE [x] SET SINGLEUSER", "KILL [x"])) == 2


def test_microsofts_grammar_accepts_quoted_names_of_any_kind(tmp_path: Path) -> None:
    hard = ["a]b", "o'brien", "a]]b'c[d", "x;y--z", "/* no", "база", " ", "a b]"]
    texts = [f"BACKUP DATABASE {quote_name(name)} TO DISK = {quote_string(name)}" for name in hard]
    assert refused_by_microsoft(tmp_path, texts) == []


@given(names, names)
def test_a_name_comes_out_of_its_quotes_as_it_went_in(database: str, file: str) -> None:
    (statement,) = parse_batch(
        f"BACKUP DATABASE {quote_name(database)} TO DISK = {quote_string(file)} WITH NAME = {quote_string(database)}"
    )
    assert statement == s.Backup("DATABASE", database, (s.Device("DISK", file),), name=database)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_an_error_of_sql_server(text: str) -> None:
    try:
        tokens = tokenize(text)
    except SqlServerError as error:
        assert error.messages[0].number in (102, 105, 113)  # noqa: PT017 - it need not be refused
    else:
        assert tokens[-1].kind is Kind.END
        assert all(text[token.start : token.end] for token in tokens[:-1])


def test_comments_nest_and_hide_what_they_hold() -> None:
    assert [token.value for token in tokenize("a /* b /* c */ ' */ d -- e ' f\n g")][:-1] == ["a", "d", "g"]


def test_statements_need_no_semicolon_between_them() -> None:
    batch = parse_batch(
        "SET NOCOUNT ON SELECT CASE WHEN 1 = 1 THEN 2 ELSE 3 END UNION ALL SELECT 4 INSERT INTO t (a) SELECT b FROM u "
        "UPDATE t SET a = 1 WHERE b = 2 DELETE FROM t IF @@TRANCOUNT > 0 ROLLBACK TRAN BEGIN TRAN"
    )
    assert [type(statement) for statement in batch] == [
        s.SetOption,
        s.Query,
        s.Query,
        s.Query,
        s.Query,
        s.If,
        s.Transaction,
    ]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("SELEC 1", 102),
        ("BACKUP DATABASE [x] TO", 102),
        ("BACKUP DATABASE [x] TO DISK = N'a' WITH SPEED = 5", 155),
        ("BACKUP DATABASE [x] TO URL = N's3://h/b/k' WITH INIT", 155),
        ("RESTORE DATABASE [x] FROM DISK = N'a' WITH DIFFERENTIAL", 155),
        ("SELECT 'a", 105),
        ("SELECT 1 /* ", 113),
        ("BACKUP LOG [x] TO DISK = N'a' WITH DIFFERENTIAL", 155),
        ("BACKUP DATABASE [x] TO DISK = N'a' WITH COPY_ONLY, CHECKSUM, COPY_ONLY", 1039),
        ("BACKUP DATABASE [x] TO DISK = N'a' WITH NAME = N'a', NAME = N'a'", 1039),
        ("BACKUP DATABASE [x] TO DISK = N'a' WITH CHECKSUM, NO_CHECKSUM", 3031),
        ("BACKUP DATABASE [x] TO DISK = N'a' WITH NO_COMPRESSION, COMPRESSION", 3031),
        ("RESTORE DATABASE [x] FROM DISK = N'a' WITH RECOVERY, REPLACE, NORECOVERY", 3031),
        ("RESTORE DATABASE [x] WITH NORECOVERY, RECOVERY", 3031),
        ("BACKUP DATABASE [x] TO DISK = N'a' WITH STATS = 101", 3217),
        ("RESTORE VERIFYONLY FROM DISK = N'a' WITH STATS = 200", 3217),
        (f"BACKUP DATABASE [x] TO DISK = N'a' WITH NAME = N'{'n' * 129}'", 103),
        (f"BACKUP DATABASE [x] TO DISK = N'a' WITH DESCRIPTION = N'{'n' * 256}'", 103),
        ("RESTORE LOG [x] FROM DISK = N'a' WITH STANDBY = N'b'", 50000),
        ("BACKUP LOG [x] TO DISK = N'a' WITH NO_TRUNCATE", 50000),
        ("CREATE TABLE t (a INT IDENTITY(1, 2))", 50000),
        ("ALTER DATABASE [x] SET AUTO_CLOSE ON", 50000),
    ],
)
def test_a_statement_that_cannot_be_carried_out_is_refused_before_anything_runs(text: str, number: int) -> None:
    with pytest.raises(SqlServerError) as refused:
        parse_batch(f"SELECT 1; {text}")
    assert refused.value.messages[0].number == number


def test_options_that_agree_go_together() -> None:
    (statement,) = parse_batch(
        f"BACKUP DATABASE [x] TO DISK = N'a' WITH FORMAT, INIT, NAME = N'{'n' * 128}', STATS = 100, COMPRESSION"
    )
    assert isinstance(statement, s.Backup)
    assert (statement.overwrite, statement.checksum, statement.compression) == (True, True, True)


def test_a_conflict_of_options_names_both() -> None:
    with pytest.raises(SqlServerError, match="Option 'norecovery' conflicts with option\\(s\\) 'recovery'"):
        parse_batch("RESTORE DATABASE [x] FROM DISK = N'a' WITH RECOVERY, NORECOVERY")


def test_a_differential_backup_is_never_a_copy() -> None:
    (statement,) = parse_batch("BACKUP DATABASE [x] TO DISK = N'a' WITH DIFFERENTIAL, COPY_ONLY")
    assert statement == s.Backup("DIFFERENTIAL", "x", (s.Device("DISK", "a"),))


def refused_by_microsoft(folder: Path, texts: list[str]) -> list[str]:
    """The statements among `texts` that Microsoft's parser for SQL Server 2022 does not take."""
    for number, text in enumerate(texts):
        (folder / f"{number}.sql").write_text(text, encoding="utf-8")
    judge = Path(sys.executable).with_name("maxdop")
    result = subprocess.run(
        [judge, "--check", "--parser-version", "2022", folder], capture_output=True, text=True, timeout=within(60)
    )
    said = result.stdout + result.stderr
    assert said or result.returncode == 0
    numbers = re.findall(r"(\d+)\.sql[^\n]*could not be parsed", said)
    return [texts[int(number)] for number in numbers]


def quote_string(value: str) -> str:
    """`value` as a T-SQL nvarchar literal."""
    return "N'" + value.replace("'", "''") + "'"
