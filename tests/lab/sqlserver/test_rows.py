"""Tables, rows, types, errors and transactions of the SQL Server stand-in, through pymssql."""
# ruff: noqa: DTZ001 - T-SQL's datetime types have no time zone

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import pymssql
import pytest

from lab.testing.sql_server import LabSqlServer, run_on

pytestmark = pytest.mark.lab

TYPES: list[tuple[str, str, Any]] = [
    ("TINYINT", "200", 200),
    ("INT", "-5", -5),
    ("BIGINT", "9007199254740993", 9007199254740993),
    ("BIT", "1", True),
    ("FLOAT", "1.5", 1.5),
    ("DECIMAL(10,2)", "12.5", Decimal("12.50")),
    ("NUMERIC(25,0)", "34000000000800000", Decimal("34000000000800000")),
    ("MONEY", "-5.25", Decimal("-5.2500")),
    ("NVARCHAR(20)", "N'Žofia o''Brien'", "Žofia o'Brien"),
    ("NVARCHAR(MAX)", "N''", ""),
    ("VARCHAR(10)", "'a'", "a"),
    ("NCHAR(2)", "N'né'", "né"),
    ("VARBINARY(MAX)", "0x00FF01", b"\x00\xff\x01"),
    ("DATE", "'2026/2/18'", dt.date(2026, 2, 18)),
    ("TIME", "'10:11:12.5'", dt.time(10, 11, 12, 500000)),
    ("DATETIME", "'20261123 09:00:01.250'", dt.datetime(2026, 11, 23, 9, 0, 1, 250000)),
    ("DATETIME2", "'2026-11-23T09:00:01.123456'", dt.datetime(2026, 11, 23, 9, 0, 1, 123456)),
    (
        "UNIQUEIDENTIFIER",
        "'6F9619FF-8B86-D011-B42D-00C04FC964FF'",
        UUID("6f9619ff-8b86-d011-b42d-00c04fc964ff"),
    ),
]


@pytest.fixture
def database(lab_sql_server: LabSqlServer) -> str:
    return lab_sql_server.new_database()


@pytest.mark.parametrize(("kind", "literal", "value"), TYPES, ids=[kind for kind, _, _ in TYPES])
def test_a_value_comes_back_as_its_type(
    lab_sql_server: LabSqlServer, database: str, kind: str, literal: str, value: Any
) -> None:
    rows = lab_sql_server.run(
        f"CREATE TABLE dbo.t (a {kind} NULL)",
        f"INSERT INTO dbo.t (a) VALUES ({literal}), (NULL)",
        "SELECT a FROM dbo.t ORDER BY a DESC",
        database=database,
    )
    assert rows == [(value,), (None,)]


def test_parameters_of_pymssql_arrive_as_they_are(lab_sql_server: LabSqlServer, database: str) -> None:
    values = (1, "o'Brien [x] -- Ž", Decimal("3.14"), dt.datetime(2026, 11, 23, 9, 0, 0, 500000), b"\x00'\xff", None)
    with lab_sql_server.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (i INT, s NVARCHAR(50), d DECIMAL(5,2), m DATETIME2, b VARBINARY(10), n INT)")
        cursor.executemany("INSERT INTO t VALUES (%s, %s, %s, %s, %s, %s)", [values, values])
        cursor.execute("SELECT * FROM t WHERE s = %s", (values[1],))
        assert cursor.fetchall() == [values, values]


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("SELECT * FROM dbo.nowhere", 208),
        ("SELECT nothing FROM dbo.child", 207),
        ("SELECT NOFUNCTION(1)", 195),
        ("SELEC 1", 102),
        ("SELECT @undeclared", 137),
        ("CREATE TABLE dbo.child (a INT)", 2714),
        ("INSERT INTO dbo.parent (id) VALUES (1)", 2627),
        ("INSERT INTO dbo.parent (id) VALUES (NULL)", 515),
        ("INSERT INTO dbo.child (parent) VALUES (99)", 547),
        ("INSERT INTO dbo.child (parent, amount) VALUES (1, -1)", 547),
        ("INSERT INTO dbo.child (id, parent) VALUES (7, 1)", 544),
        ("INSERT INTO dbo.child (parent, at) VALUES (1, 'yesterday')", 241),
        ("DROP TABLE dbo.parent", 3726),
        ("DROP TABLE dbo.nowhere", 3701),
        ("EXEC sp_nothing", 2812),
        ("USE nowhere", 911),
        ("COMMIT", 3902),
        ("ROLLBACK", 3903),
        ("CREATE DATABASE master", 1801),
        ("DROP DATABASE nowhere", 3701),
        ("DROP DATABASE msdb", 3708),
    ],
)
def test_what_sql_server_refuses_is_refused_with_its_number(
    lab_sql_server: LabSqlServer, database: str, statement: str, number: int
) -> None:
    lab_sql_server.run(
        "CREATE TABLE dbo.parent (id INT NOT NULL, CONSTRAINT PK_parent PRIMARY KEY CLUSTERED (id))",
        "CREATE TABLE dbo.child "
        "(id INT IDENTITY(1,1) PRIMARY KEY, parent INT, at DATETIME2, amount INT CHECK (amount > 0))",
        "ALTER TABLE dbo.child ADD CONSTRAINT FK_child FOREIGN KEY (parent) REFERENCES dbo.parent (id)",
        "INSERT INTO dbo.parent (id) VALUES (1)",
        database=database,
    )
    with pytest.raises(pymssql.Error) as refused:
        lab_sql_server.run(statement, database=database)
    assert refused.value.args[0] == number


def test_an_identity_counts_from_its_seed_and_on_after_a_crash(own_sql_server: LabSqlServer) -> None:
    database = own_sql_server.new_database()
    own_sql_server.run(
        "CREATE TABLE t (id INT IDENTITY(1000,1) NOT NULL PRIMARY KEY, a NVARCHAR(9))",
        "INSERT INTO t (a) VALUES (N'a'), (N'b')",
        database=database,
    )
    own_sql_server.crash_and_restart()
    own_sql_server.run("INSERT INTO t VALUES (N'c')", database=database)
    assert own_sql_server.run("SELECT id, a FROM t ORDER BY id", database=database) == [
        (1000, "a"),
        (1001, "b"),
        (1002, "c"),
    ]


def test_names_and_text_compare_without_case(lab_sql_server: LabSqlServer, database: str) -> None:
    lab_sql_server.run(
        "CREATE TABLE dbo.Orders (Customer NVARCHAR(20))", "INSERT INTO ORDERS VALUES (N'Bob')", database=database
    )
    assert lab_sql_server.run("SELECT customer FROM [DBO].orders WHERE CUSTOMER = N'BOB'", database=database) == [
        ("Bob",)
    ]
    assert lab_sql_server.run(f"SELECT COUNT(*) FROM sys.databases WHERE name = N'{database.upper()}'") == [(1,)]


def test_a_rolled_back_transaction_leaves_nothing(lab_sql_server: LabSqlServer, database: str) -> None:
    with lab_sql_server.connect(database, autocommit=False) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (a INT)")
        connection.commit()
        cursor.execute("INSERT INTO t VALUES (1)")
        connection.rollback()
        cursor.execute("INSERT INTO t VALUES (2)")
        assert lab_sql_server.run("SELECT COUNT(*) FROM t", database=database) == [(0,)]
        connection.commit()
    assert lab_sql_server.run("SELECT a FROM t", database=database) == [(2,)]


def test_a_client_that_dies_in_a_transaction_has_written_nothing(lab_sql_server: LabSqlServer, database: str) -> None:
    lab_sql_server.run("CREATE TABLE t (a INT)", database=database)
    connection = lab_sql_server.connect(database)
    run_on(connection, "BEGIN TRAN", "INSERT INTO t VALUES (1)")
    connection.close()
    lab_sql_server.run("INSERT INTO t VALUES (2)", database=database)  # waits for the other's lock to go
    assert lab_sql_server.run("SELECT a FROM t", database=database) == [(2,)]


def test_an_acknowledged_row_survives_a_crash(own_sql_server: LabSqlServer) -> None:
    database = own_sql_server.new_database()
    own_sql_server.run("CREATE TABLE t (a INT)", database=database)
    with own_sql_server.connect(database) as connection:
        for number in range(50):
            run_on(connection, f"INSERT INTO t VALUES ({number})")
        own_sql_server.kill()
    own_sql_server.start()
    assert own_sql_server.run("SELECT COUNT(*), SUM(a) FROM t", database=database) == [(50, 1225)]


def test_a_checksum_over_rows_is_the_same_in_any_order_and_changes_with_any_value(
    lab_sql_server: LabSqlServer, database: str
) -> None:
    def checksum(table: str) -> Any:
        return lab_sql_server.run(f"SELECT CHECKSUM_AGG(BINARY_CHECKSUM(*)) FROM {table}", database=database)

    for table in ("a", "b"):
        lab_sql_server.run(f"CREATE TABLE {table} (id INT PRIMARY KEY, x NVARCHAR(9), d DATE)", database=database)
    lab_sql_server.run("INSERT INTO a VALUES (1, 'x', '20260101'), (2, 'y', NULL)", database=database)
    lab_sql_server.run("INSERT INTO b VALUES (2, 'y', NULL), (1, 'x', '20260101')", database=database)
    assert checksum("a") == checksum("b") != [(0,)]
    lab_sql_server.run("UPDATE b SET x = 'X' WHERE id = 1", database=database)
    assert checksum("a") != checksum("b")


def test_the_catalog_lists_tables_with_their_schemas(lab_sql_server: LabSqlServer, database: str) -> None:
    rows = lab_sql_server.run(
        "CREATE TABLE dbo.plain (a INT)",
        "CREATE TABLE sales.orders (a INT)",
        "INSERT INTO sales.orders VALUES (5)",
        "SELECT s.name, t.name FROM sys.tables AS t JOIN sys.schemas AS s ON s.schema_id = t.schema_id ORDER BY 1",
        database=database,
    )
    assert rows == [("dbo", "plain"), ("sales", "orders")]
    assert lab_sql_server.run(f"SELECT orders.a FROM [{database}].sales.orders") == [(5,)]


def test_date_arithmetic_in_a_script_works(lab_sql_server: LabSqlServer, database: str) -> None:
    rows = lab_sql_server.run(
        "CREATE TABLE t (n INT, at DATETIME2)",
        "WITH n AS (SELECT 0 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 99) "
        "INSERT INTO t (n, at) SELECT i, DATEADD(minute, i, '2026-01-01') FROM n OPTION (MAXRECURSION 0)",
        "SELECT COUNT(*), MAX(at), MAX(DATEDIFF(hour, '2026-01-01', at)) FROM t WHERE at > '2026-01-01 00:30'",
        database=database,
    )
    assert rows == [(69, dt.datetime(2026, 1, 1, 1, 39), 1)]


@pytest.mark.parametrize(
    ("kind", "style", "text"),
    [
        ("DATETIME2", 121, "2026-11-23 09:05:07.1234560"),
        ("DATETIME2", 126, "2026-11-23T09:05:07.1234560"),
        ("DATETIME", 121, "2026-11-23 09:05:07.123"),
        ("DATETIME", 126, "2026-11-23T09:05:07.123"),
        ("DATETIME2", 120, "2026-11-23 09:05:07"),
        ("DATETIME2", 112, "20261123"),
        ("DATETIME2", 23, "2026-11-23"),
    ],
)
def test_a_date_is_written_in_the_style_that_convert_names(
    lab_sql_server: LabSqlServer, database: str, kind: str, style: int, text: str
) -> None:
    rows = lab_sql_server.run(
        f"CREATE TABLE t (at {kind})",
        "INSERT INTO t VALUES ('2026-11-23 09:05:07.123456'), (NULL)",
        f"SELECT CONVERT(NVARCHAR(40), at, {style}), CONVERT(VARCHAR(4), at, {style}) FROM t ORDER BY at DESC",
        database=database,
    )
    assert rows == [(text, text[:4]), (None, None)]


def test_convert_without_a_fraction_and_to_dates_and_of_binary_values(lab_sql_server: LabSqlServer) -> None:
    ((whole, day, moment, binary),) = lab_sql_server.run(
        "SELECT CONVERT(VARCHAR(30), CAST('2026-11-23 09:05:07' AS DATETIME2), 126), CONVERT(DATE, '20261123', 112), "
        "CONVERT(DATETIME2, '2026-11-23T09:05:07.5', 126), CONVERT(VARCHAR(10), 0x00FF, 1)"
    )
    assert (whole, binary) == ("2026-11-23T09:05:07", "0x00FF")
    assert (day, moment) == (dt.date(2026, 11, 23), dt.datetime(2026, 11, 23, 9, 5, 7, 500000))


def test_the_length_of_a_value_counts_every_byte_and_no_blanks_at_its_end(lab_sql_server: LabSqlServer) -> None:
    assert lab_sql_server.run("SELECT LEN(0x00FF00), LEN(N'žluť  '), LEN(N'😀'), LEN(12345), LEN(NULL)") == [
        (3, 4, 2, 5, None)
    ]


def test_many_rows_stream_through(lab_sql_server: LabSqlServer, database: str) -> None:
    rows = lab_sql_server.run(
        "CREATE TABLE t (a INT, b NVARCHAR(200))",
        "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
        "INSERT INTO t SELECT i, N'row number ' + CAST(i AS NVARCHAR(10)) FROM n OPTION (MAXRECURSION 0)",
        "SELECT a, b FROM t ORDER BY a",
        database=database,
    )
    assert len(rows) == 20000
    assert rows[-1] == (20000, "row number 20000")
