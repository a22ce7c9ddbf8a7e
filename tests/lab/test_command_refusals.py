"""`python -m lab` when something is wrong: one plain line that says what, and what to do; never a stack trace."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.environment import PROJECT, lab_environment
from lab.servers import start_servers, stop_servers
from lab.settings import HOST, LabSettings
from lab.testing.command import run_lab
from lab.testing.deadlines import within
from lab.testing.server import new_settings
from lab.wreck import DELETED_FOLDER, wreck

pytestmark = pytest.mark.lab

TERMINAL_SECONDS = within(20)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSettings]:
    """A lab that is up and holds nothing but a database host."""
    settings = new_settings(tmp_path_factory.mktemp("refusals"))
    try:
        start_servers(settings)
        yield settings
    finally:
        stop_servers(settings)


def refused(settings: LabSettings, *arguments: str) -> str:
    """The one line that a command ends with; more than one is a stack trace."""
    done = run_lab(settings, *arguments)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    return line


def test_a_database_that_is_not_there_is_named_beside_those_that_are(running: LabSettings) -> None:
    line = refused(running, "shell", "sql", "nowhere")

    assert line.startswith("lab shell: There is no database 'nowhere' in this lab. It has master, model, msdb")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("shell", "sql"), "SQL Server does not answer on"),
        (("shell", "sql", "shop_acme"), "SQL Server does not answer on"),
        (("faults", "add", "sql:Backup", "--delay", "3"), "Start the lab: `python -m lab up`"),
        (("faults", "list"), "Start the lab: `python -m lab up`"),
        (("faults", "clear"), "Start the lab: `python -m lab up`"),
    ],
)
def test_a_lab_that_is_down_is_to_be_started(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    settings = new_settings(tmp_path / "state")

    assert said in refused(settings, *arguments)
    assert not settings.state.exists()


def test_nothing_is_wrecked_where_the_sql_server_does_not_answer(tmp_path: Path) -> None:
    folder = tmp_path / DELETED_FOLDER
    folder.mkdir(parents=True)

    with pytest.raises(ConnectionError, match="so nothing was done"):
        wreck(new_settings(tmp_path), {"id": "acme", "web": {"path": tmp_path}, "database": {"name": "shop_acme"}})

    assert folder.exists()


@pytest.mark.parametrize("base", ["many", "-1", "80", "65530", "15600.5"])
def test_a_port_base_that_is_none_is_refused_with_those_that_are(base: str) -> None:
    environment = lab_environment(LabSettings(Path("nowhere"), 1)) | {"PERENNIAL_LAB_PORT_BASE": base}
    command = [sys.executable, "-m", "lab", "status"]

    done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith(f"lab status: PERENNIAL_LAB_PORT_BASE is '{base}', but it wants a number from 1024")


@pytest.mark.parametrize("command", [("up",), ("status",), ("seed",), ("faults", "list"), ("shell", "sql")])
@pytest.mark.parametrize("offset", [0, 1, -1])
def test_no_command_reaches_the_lab_of_another_state_folder(
    running: LabSettings, tmp_path: Path, command: tuple[str, ...], offset: int
) -> None:
    other = LabSettings(tmp_path / "other", running.port_base + offset)

    try:
        line = refused(other, *command)
    finally:
        stopped = stop_servers(other)

    assert f"belongs to the lab in {running.state} " in line
    assert stopped == []
    assert not other.state.exists()


def test_the_same_state_folder_by_another_path_is_the_same_lab(running: LabSettings, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(running.state)

    assert run_lab(LabSettings(link, running.port_base), "status").returncode == 0


def test_a_lab_that_runs_already_is_not_started_on_other_ports(running: LabSettings) -> None:
    line = refused(LabSettings(running.state, new_settings(running.state).port_base), "up")

    assert f"cloud of the lab in {running.state} runs already, with ports from {running.port_base} on" in line


def test_a_port_that_another_program_has_is_named(tmp_path: Path) -> None:
    settings = new_settings(tmp_path)
    program = "import socket, sys; s = socket.create_server(('{}', {})); print('up', flush=True); sys.stdin.read()"
    listening = program.format(HOST, settings.sql_server_port)
    with subprocess.Popen(
        [sys.executable, "-c", listening], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as squatter:
        assert squatter.stdout
        assert squatter.stdout.readline() == "up\n"
        try:
            line = refused(settings, "up")
        finally:
            stopped = stop_servers(settings)
            squatter.communicate()

    assert f"another program listens on its port {HOST}:{settings.sql_server_port} already" in line
    assert stopped == []


def test_a_server_whose_record_was_lost_is_not_started_twice(running: LabSettings) -> None:
    record = running.state / "run" / "cloud.json"
    kept = record.read_text()
    record.unlink()
    try:
        line = refused(running, "up")
    finally:
        record.write_text(kept)

    assert f"process {json.loads(kept)['pid']}, of which this lab has no record, listens on its port" in line


@pytest.mark.parametrize("content", ["", '{"pid": 12', "[]", '{"pid": "12", "create_time": 1.0}', '{"pid": 12}'])
@pytest.mark.parametrize("command", ["up", "down", "status"])
def test_a_damaged_record_is_named_with_what_to_do(tmp_path: Path, command: str, content: str) -> None:
    record = tmp_path / "run" / "cloud.json"
    record.parent.mkdir()
    record.write_text(content)

    assert f"{record} is damaged" in refused(new_settings(tmp_path), command)


@pytest.mark.parametrize("where", ["..", "../..", "", ".", "/etc", "i-nowhere", "i-nowhere/.."])
def test_a_shell_opens_on_hosts_only(running: LabSettings, where: str) -> None:
    assert refused(running, "shell", where).startswith(f"lab shell: There is no host {where!r} in this lab. It has i-")


def test_a_database_goes_with_sql_only(tmp_path: Path) -> None:
    done = run_lab(new_settings(tmp_path), "shell", "i-0123", "shop_acme")

    assert done.returncode == 2
    assert "DATABASE goes with `sql` only" in done.stderr


def test_a_damaged_register_is_named_with_what_to_do(tmp_path: Path) -> None:
    register = tmp_path / "config" / "tenants.yaml"
    register.parent.mkdir()
    register.write_text("tenants:\n  - [1\n")

    done = run_lab(new_settings(tmp_path), "wreck", "acme")

    assert done.returncode == 1
    assert done.stderr.startswith(f"lab wreck: {register} cannot be read as a register of tenants")
    assert "Traceback" not in done.stderr


def test_down_says_what_it_stopped_and_may_be_repeated(tmp_path: Path) -> None:
    done = run_lab(new_settings(tmp_path), "down")

    assert (done.returncode, done.stdout) == (0, f"Nothing was running in {tmp_path}.\n")


def test_ctrl_c_ends_a_command_in_the_shell_of_a_host_and_not_the_shell(running: LabSettings) -> None:
    (host,) = sorted(path.name for path in (running.state / "cloud" / "hosts").glob("i-*"))
    with Terminal(running, "shell", host) as terminal:
        terminal.type("echo be$((1))gun; sleep 100\n")
        terminal.wait_for("be1gun")
        terminal.type("\x03")
        terminal.type("echo ali$((1))ve\n")
        terminal.wait_for("ali1ve")
        terminal.type("exit 3\n")

        assert terminal.end() == 3


def test_ctrl_c_at_the_sql_prompt_ends_it_without_a_stack_trace(running: LabSettings) -> None:
    with Terminal(running, "shell", "sql") as terminal:
        terminal.type("SELECT 40 + 2 AS answer\nGO\n")
        terminal.wait_for("42\r\nsql> ")
        terminal.type("\x03")
        terminal.wait_for("lab shell: interrupted.")

        assert terminal.end() == 130
    assert "Traceback" not in terminal.shown


class Terminal:
    """A command of the lab at a terminal of its own, which sees keys such as Ctrl-C (\\x03)."""

    def __init__(self, settings: LabSettings, *arguments: str) -> None:
        self.shown = ""
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            # What a shell starts in the background ignores Ctrl-C, and so would all that it starts in turn.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.chdir(PROJECT)
            command = [sys.executable, "-m", "lab", *arguments]
            os.execve(command[0], command, lab_environment(settings))  # noqa: S606 - the lab itself

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._terminal)  # which hangs up on whoever still sits there

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def wait_for(self, text: str) -> None:
        os.set_blocking(self._terminal, False)
        deadline = time.monotonic() + TERMINAL_SECONDS
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} was not shown: {self.shown}"
            try:
                self.shown += os.read(self._terminal, 4096).decode(errors="replace")
            except BlockingIOError:
                time.sleep(0.02)

    def end(self) -> int:
        """The command's exit code."""
        deadline = time.monotonic() + TERMINAL_SECONDS
        while True:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < deadline, f"it did not end: {self.shown}"
            time.sleep(0.02)
