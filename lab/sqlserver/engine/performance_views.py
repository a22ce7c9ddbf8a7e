"""The view of performance counters: sign-ins and batches as on the real server, and of the lab's own each statement."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from lab.sqlserver.engine.instance import Instance
from lab.sqlserver.engine.permissions import check_sees_server
from lab.sqlserver.engine.sessions import Session
from lab.sqlserver.engine.view import Row, View
from lab.sqlserver.engine.work_counts import BATCHES, LOGINS

STATEMENTS = "Lab:Statements"
_OBJECTS = {LOGINS: "SQLServer:General Statistics", BATCHES: "SQLServer:SQL Statistics"}
_SINCE_START = 272696576  # the type of counters whose value is their number since the server's start


def _counters(instance: Instance, session: Session, _connection: apsw.Connection) -> Iterator[Row]:
    check_sees_server(instance, session)
    for (name, which), value in sorted(instance.counts.all().items()):
        yield _OBJECTS.get(name, STATEMENTS), name, which, value, _SINCE_START


PERFORMANCE_VIEWS = {
    "dm_os_performance_counters": View(
        "object_name NVARCHAR(128); counter_name NVARCHAR(128); instance_name NVARCHAR(128); cntr_value BIGINT; "
        "cntr_type INT",
        _counters,
    ),
}
