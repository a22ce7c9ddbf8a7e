"""Faults on order: SQL Server's errors with the operating system's number, and connections that end too soon."""

from __future__ import annotations

from typing import Any

import pymssql
import pytest

from lab.testing.sql_server import LabSqlServer
from tests.lab.sqlserver.logins import refused_login

pytestmark = pytest.mark.lab


def test_a_statement_is_answered_with_the_error_that_was_ordered_and_then_no_more(
    lab_sql_server: LabSqlServer,
) -> None:
    lab_sql_server.run("BACKUP DATABASE model TO DISK = N'ordered.bak' WITH INIT")
    verify = "RESTORE VERIFYONLY FROM DISK = N'ordered.bak'"
    with lab_sql_server.failing("sql:VerifyOnly", match="ordered.bak", number=3203, os_error=64) as faults:
        with pytest.raises(pymssql.Error) as caught:
            lab_sql_server.run(verify)
        lab_sql_server.run(verify)
        assert faults.report()["hits"] == [{"call": "sql:VerifyOnly", "outcome": "3203"}]
    number, text = caught.value.args
    assert number == 3203
    assert b'Read on "ordered.bak" failed: 64(The specified network name is no longer available.)' in text


def test_a_backup_that_breaks_off_in_its_midst_leaves_nothing(lab_sql_server: LabSqlServer) -> None:
    with lab_sql_server.failing("sql:Backup", number=3202, os_error=112, percent=50), pytest.raises(pymssql.Error):
        lab_sql_server.run("BACKUP DATABASE model TO DISK = N'broken.bak' WITH INIT")
    assert not (lab_sql_server.folder / "backup" / "broken.bak").exists()


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"number": 18456}, "Login failed"),
        ({"number": 17187, "message": "SQL Server is not ready to accept new client connections."}, "not ready"),
        ({"drop": True}, "DB-Lib error message 2000"),
        ({"drop": True, "after": True}, "Could not set connection properties"),
    ],
)
def test_a_login_is_refused_or_hung_up_as_ordered(
    lab_sql_server: LabSqlServer, rule: dict[str, Any], said: str
) -> None:
    with lab_sql_server.failing("sql:Login", **rule):
        refused = refused_login(lab_sql_server)
        lab_sql_server.connect().close()
    assert said in str(refused)


@pytest.mark.parametrize("after", [False, True])
def test_a_connection_is_dropped_before_or_after_the_statement(lab_sql_server: LabSqlServer, after: bool) -> None:
    name = lab_sql_server.new_database()
    rule = {"match": name, "drop": True, "after": after}
    with lab_sql_server.failing("sql:DropDatabase", **rule), pytest.raises(pymssql.Error):
        lab_sql_server.run(f"DROP DATABASE [{name}]")
    assert len(lab_sql_server.run(f"SELECT name FROM sys.databases WHERE name = N'{name}'")) == (0 if after else 1)


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ({"action": "sql:Verify", "number": 3203}, "fits no statement"),
        ({"action": "sql:Backup"}, "either a number or drop"),
        ({"action": "sql:Backup", "number": 60000}, "no text for error 60000"),
        ({"action": "sql:Backup", "number": 3202, "os": 5}, "of these.*: action, after"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    lab_sql_server: LabSqlServer, rule: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint), lab_sql_server.failing(**rule):
        pass
    assert lab_sql_server.faults.report()["rules"] == []
