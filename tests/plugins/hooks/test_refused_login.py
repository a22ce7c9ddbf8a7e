"""A login that is refused says why, however many were refused before it in the same process."""

from __future__ import annotations

from typing import Any

import pytest

from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.faults import Fault
from perennial.hooks.sql_server.server import SqlServer
from tests.support.world import World

pytestmark = pytest.mark.lab

REFUSED = {"number": 18456}
UPGRADE = {"number": 18401, "severity": 14, "message": "Server is in script upgrade mode."}
STARTING = {"number": 17187, "severity": 16, "message": "SQL Server is not ready to accept new client connections."}


def refusal(world: World, rule: dict[str, Any]) -> SqlServerError:
    with world.sql.failing("sql:Login", times=None, **rule), pytest.raises(SqlServerError) as caught:
        world.runner.run(SqlServer("sql_server_lab").run("SELECT 1 AS one"))
    return caught.value


def test_the_reason_belongs_to_this_login_and_not_to_an_earlier_one(world: World) -> None:
    for rule, fault in (
        (STARTING, Fault.TRANSIENT),  # its severity is above that of the others, which pymssql then keeps silent about
        (REFUSED, Fault.RIGHTS),
        (UPGRADE, Fault.TRANSIENT),
        (STARTING, Fault.TRANSIENT),
        (REFUSED, Fault.RIGHTS),
    ):
        error = refusal(world, rule)
        assert error.number == rule["number"]
        assert error.fault is fault
        assert str(rule.get("message", "Login failed for user")) in str(error)


@pytest.mark.parametrize("after", [False, True])
def test_a_login_that_is_hung_up_is_a_lost_connection(world: World, after: bool) -> None:
    error = refusal(world, {"drop": True, "after": after})
    assert error.lost_connection
    assert error.number != 0
