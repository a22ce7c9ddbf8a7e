"""The rules of lab/processes.py, held by real processes."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lab.environment import PROJECT, lab_environment
from lab.processes import ProcessError, Processes, procfile_commands
from lab.settings import LabSettings
from lab.testing.deadlines import within
from lab.waiting import wait_until

SLEEPER = "import time; print('sleeping', flush=True); time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)
# Starts a child in its own group and a grandchild in a group of its own, and tells their ids.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
apart = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
print(child.pid, apart.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    found = Processes(tmp_path)
    yield found
    found.stop(found.names(), seconds=0)


def start(processes: Processes, name: str, code: str) -> psutil.Process:
    """Start Python code as a process and wait for its first line."""
    processes.start(name, [sys.executable, "-c", code], lab_environment(LabSettings(processes.state, 1)))
    leader = processes.leader(name)
    assert leader is not None
    wait_until(lambda: bool(processes.log(name).read_text()), within(10), f"{name} printed nothing")
    return leader


def test_a_process_outlives_the_object_that_started_it_and_is_found_again(processes: Processes) -> None:
    leader = start(processes, "one", SLEEPER)

    assert Processes(processes.state).leader("one") == leader
    assert Processes(processes.state).names() == ["one"]


def test_starting_what_runs_already_starts_nothing(processes: Processes) -> None:
    leader = start(processes, "one", SLEEPER)

    assert start(processes, "one", SLEEPER) == leader


def test_stopping_waits_for_the_end_and_forgets_the_process(processes: Processes) -> None:
    start(processes, "one", SLEEPER)

    processes.stop(["one"])

    assert processes.leader("one") is None
    assert processes.names() == []


def test_a_process_deaf_to_sigterm_is_killed_when_its_time_is_over(processes: Processes) -> None:
    start(processes, "deaf", STUBBORN)
    begun = time.monotonic()

    processes.stop(["deaf"], seconds=1)

    assert processes.leader("deaf") is None
    assert time.monotonic() - begun >= 1


def test_killing_takes_children_along_whatever_group_they_are_in(processes: Processes) -> None:
    start(processes, "parent", PARENT)
    children = [psutil.Process(int(pid)) for pid in processes.log("parent").read_text().split()]

    processes.kill("parent")

    wait_until(lambda: not any(map(is_alive, children)), within(5), "children have outlived the kill")


def test_stopping_a_process_that_has_died_still_ends_what_it_left_behind(processes: Processes) -> None:
    leader = start(processes, "parent", PARENT)
    child = psutil.Process(int(processes.log("parent").read_text().split()[0]))
    apart = psutil.Process(int(processes.log("parent").read_text().split()[1]))
    leader.kill()
    wait_until(lambda: processes.leader("parent") is None, within(5), "the leader is still there")

    processes.stop(["parent"])

    assert not is_alive(child)
    apart.kill()  # left its group and lost its parent: nothing leads to it any more


def test_a_stranger_who_was_given_the_same_process_id_is_left_alone(processes: Processes) -> None:
    stranger = start(processes, "one", SLEEPER)
    record = processes.state / "run" / "one.json"
    record.write_text(json.dumps({"pid": stranger.pid, "create_time": stranger.create_time() - 100}))

    processes.stop(["one"])

    assert is_alive(stranger)
    stranger.kill()


def test_waiting_for_a_process_that_ends_says_which_and_shows_its_log(processes: Processes) -> None:
    start(processes, "broken", "print('no vault here', flush=True); raise SystemExit(3)")

    with pytest.raises(ProcessError, match=r"(?s)broken has ended.*broken\.log.*no vault here"):
        processes.wait_until_ready("broken", lambda: False, seconds=within(30))


def test_waiting_for_a_process_that_never_gets_ready_is_bounded(processes: Processes) -> None:
    start(processes, "slow", SLEEPER)

    with pytest.raises(ProcessError, match=r"(?s)slow is not ready after 0\.3 s.*slow\.log.*sleeping"):
        processes.wait_until_ready("slow", lambda: False, seconds=0.3)


def test_a_child_sees_nothing_of_somebody_elses_airflow_or_aws_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AIRFLOW__CORE__EXECUTOR", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "PERENNIAL_VAULT", "PYTHONPATH"):
        monkeypatch.setenv(name, "foreign")

    environment = lab_environment(LabSettings(Path("/state"), 1))

    assert "foreign" not in environment.values()
    assert environment["PYTHONPATH"] == str(PROJECT)


def test_the_procfile_names_every_process_once_with_its_command() -> None:
    commands = procfile_commands()

    assert list(commands)[:4] == ["cloud", "storage", "sqlserver", "database"]
    assert commands["scheduler"][:2] == ["airflow", "scheduler"]


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
