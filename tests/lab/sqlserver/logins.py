"""Logins that the server refuses, each in a process that has heard of no other: pymssql forgets no refusal."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pymssql

from lab.testing.deadlines import within
from lab.testing.sql_server import LabSqlServer

SIGN_IN = """
import json, pymssql, sys
try:
    pymssql.connect(**json.load(sys.stdin)).close()
except pymssql.Error as error:
    parts = error.args[0] if isinstance(error.args[0], tuple) else error.args
    print(json.dumps([part.decode() if isinstance(part, bytes) else part for part in parts]))
"""


def refused_login(server: LabSqlServer, **options: Any) -> Exception:
    """What pymssql raises, as a rule with number and text; `options` as those of `LabSqlServer.connect`."""
    arguments = server.connect_options | {"database": "master"} | options
    said = subprocess.run(
        [sys.executable, "-c", SIGN_IN],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        timeout=within(60),
        check=True,
    ).stdout
    assert said, "the server let it in"
    return pymssql.OperationalError(*json.loads(said))
