"""Logins that the server refuses, each in a process that has heard of no other: pymssql forgets no refusal."""

from __future__ import annotations

from typing import Any

from lab.testing.sql_server import LabSqlServer
from perennial.hooks.sql_server.refused_login import why_refused


def refused_login(server: LabSqlServer, **options: Any) -> Exception:
    """What pymssql raises, as a rule with number and text; `options` as those of `LabSqlServer.connect`."""
    error = why_refused(server.connect_options | {"database": "master"} | options)
    assert error is not None, "the server let it in"
    return error
