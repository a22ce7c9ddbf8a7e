"""A run of the tests that is told to end leaves nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from lab.environment import PROJECT
from lab.signals import STOP_SIGNALS
from lab.testing.deadlines import within
from lab.waiting import wait_until

SLOW = """
import os, pathlib, time

def test_slow(lab_storage_server):
    told = pathlib.Path({told!r})
    told.with_suffix(".new").write_text(f"{{os.getpid()}} {{lab_storage_server.pid}}")
    told.with_suffix(".new").rename(told)
    time.sleep(600)

def test_after_it():
    pathlib.Path({told!r}).unlink()
"""


PLUGINS = ("tests.support.interrupts", "tests.support.labs")
"""What every run of the tests has, and what starts the server: the rest of tests/conftest.py would load Airflow."""


def test_every_run_of_the_tests_ends_as_it_is_told(request: pytest.FixtureRequest) -> None:
    assert all(map(request.config.pluginmanager.has_plugin, PLUGINS))


@pytest.mark.lab
@pytest.mark.parametrize(
    ("workers", "name"), [("0", "SIGTERM"), ("1", "SIGHUP"), pytest.param("1", "SIGKILL", marks=pytest.mark.sweep)]
)
def test_a_signal_ends_a_run_its_workers_and_their_servers(tmp_path: Path, workers: str, name: str) -> None:
    told = tmp_path / "told"
    (tmp_path / "test_slow.py").write_text(SLOW.format(told=str(told)))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        "pyproject.toml",
        *(f"-p{name}" for name in PLUGINS),
        "-n",
        workers,
    ]
    run = subprocess.Popen(
        [*command, str(tmp_path)],
        cwd=PROJECT,
        env={key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_until(lambda: told.exists() or run.poll() is not None, within(60), "The test has not begun.")
    begun = [psutil.Process(int(pid)) for pid in told.read_text().split()] if told.exists() else []
    run.send_signal(signal.Signals[name])
    said, _ = run.communicate(timeout=within(60))
    assert len(begun) == 2, said
    _, left = psutil.wait_procs(begun, within(30))
    assert not left
    assert told.exists(), "the next test has run"
    if signal.Signals[name] in STOP_SIGNALS:
        assert run.returncode == pytest.ExitCode.INTERRUPTED, said
