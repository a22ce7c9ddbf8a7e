"""Servers that tests share: one that a test has ended is running for the next test, and has kept what it had."""

from __future__ import annotations

import os
import signal

import pytest

from lab.testing.server import LabServer

pytestmark = pytest.mark.lab

SHARED = {
    "lab_cloud_server": "lab_cloud",
    "lab_storage_server": "lab_storage",
    "lab_sql_server_process": "lab_sql_server",
}


@pytest.mark.parametrize("shared", SHARED)
def test_a_shared_server_that_a_test_has_killed_runs_for_the_next_one(
    request: pytest.FixtureRequest, shared: str
) -> None:
    server: LabServer = request.getfixturevalue(shared)
    killed = server.pid
    server.kill()
    assert request.getfixturevalue(SHARED[shared]) is server  # as the next test asks for it
    assert server.pid != killed


def test_a_shared_server_that_has_died_by_itself_runs_for_the_next_one(
    request: pytest.FixtureRequest, lab_sql_server_process: LabServer
) -> None:
    died = lab_sql_server_process.pid
    os.kill(died, signal.SIGKILL)
    os.waitid(os.P_PID, died, os.WEXITED | os.WNOWAIT)
    request.getfixturevalue("lab_sql_server")
    assert lab_sql_server_process.pid != died
