"""The SQL Server stand-in counts what its clients do, for whoever measures them."""

from __future__ import annotations

from collections import Counter

import pytest

from lab.testing.sql_server import LabSqlServer
from tests.lab.sqlserver.logins import refused_login

pytestmark = pytest.mark.lab

COUNTERS = "SELECT counter_name, instance_name, cntr_value FROM sys.dm_os_performance_counters"


def counters(server: LabSqlServer) -> Counter[str]:
    return Counter({f"{name} {which}".strip(): value for name, which, value in server.run(COUNTERS)})


def test_sign_ins_batches_and_statements_are_counted(lab_sql_server: LabSqlServer) -> None:
    name = lab_sql_server.new_database()
    before = counters(lab_sql_server)
    lab_sql_server.run("SELECT 1; SELECT 2", f"BACKUP DATABASE [{name}] TO DISK = N'{name}.bak'")
    more = counters(lab_sql_server) - before
    assert more["Logins/sec"] == 2  # the one that asks is counted already
    assert more["Statements sql:Backup"] == 1
    assert more["Statements sql:Query"] >= 3
    assert more["Batch Requests/sec"] >= 3


def test_a_refused_sign_in_is_none(lab_sql_server: LabSqlServer) -> None:
    before = counters(lab_sql_server)
    assert refused_login(lab_sql_server, password="wrong").args[0] == 18456
    assert (counters(lab_sql_server) - before)["Logins/sec"] == 1
