"""Processes that outlive the command that started them: one group, one log and one record each.

A record holds the process's id and its start time, so that a later command finds the process again and never mistakes
a stranger, who was given the same id since, for it.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from honcho.environ import parse_procfile

from lab.environment import PROJECT
from lab.process_record import ProcessRecord
from lab.waiting import wait_until

STOP_SECONDS = 5.0
KILL_SECONDS = 60.0  # nothing outlives SIGKILL, but a busy machine may take its time
LINE_LENGTH = 300  # of a log line in a message; Airflow writes whole stack traces into one


class ProcessError(RuntimeError):
    """A process ended, or did not get ready, or did not end, when it should have."""


def procfile_commands(path: Path = PROJECT / "Procfile") -> dict[str, list[str]]:
    """The Procfile's command lines, split into arguments, by process name and in the file's order."""
    return {name: shlex.split(command) for name, command in parse_procfile(path.read_text()).processes.items()}


@dataclass(frozen=True)
class Processes:
    """The processes of one state folder: logs in `logs/<name>.log`, records in `run/<name>.json`."""

    state: Path

    def start(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        """Start `command` in the project's folder as a process group of its own; nothing to do if it runs already."""
        if self.leader(name):
            return
        self.kill(name)  # what a leader that died by itself may have left behind
        for folder in (self.log(name).parent, self._record_file(name).parent):
            folder.mkdir(parents=True, exist_ok=True)
        with self.log(name).open("ab") as log:
            process = psutil.Popen(
                command,
                cwd=PROJECT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        ProcessRecord(process.pid, process.create_time()).write(self._record_file(name))

    def stop(self, names: Iterable[str], seconds: float = STOP_SECONDS) -> None:
        """Ask the processes to end, wait up to `seconds` for all of them together, then kill what is left of each."""
        families = {name: self._family(name) for name in names}
        for name, family in families.items():
            if family and (record := self._record(name)):
                # The group, as Ctrl-C does: Airflow's triggerer waits 10 s for a child that it has to tell itself.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(record.pid, signal.SIGTERM)
        _left_after(seconds, [member for family in families.values() for member in family])
        for name in families:
            self.kill(name)

    def kill(self, name: str) -> None:
        """SIGKILL the process and everything it started, as a crash of its machine would, and forget it."""
        family = self._family(name)
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        if survivors := _left_after(KILL_SECONDS, family):
            pids = [member.pid for member in survivors]
            raise ProcessError(f"{name} does not end, not even by SIGKILL: processes {pids}.")
        self._record_file(name).unlink(missing_ok=True)

    def names(self) -> list[str]:
        """Every process with a record here, running or not."""
        return sorted(record.stem for record in (self.state / "run").glob("*.json"))

    def leader(self, name: str) -> psutil.Process | None:
        """The running process of that name, or None."""
        record = self._record(name)
        if record is None:
            return None
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(record.pid)
            if process.create_time() == record.create_time and _is_alive(process):
                return process
        return None

    def wait_until_ready(self, name: str, is_ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `is_ready()` holds.

        Raises ProcessError, with the end of its log, when the process has ended or is not ready within `seconds`.
        """

        def ready_or_ended() -> bool:
            return is_ready() or self.leader(name) is None

        try:
            wait_until(ready_or_ended, seconds, f"{name} is not ready after {seconds:g} s.")
        except TimeoutError as error:
            raise ProcessError(f"{error} {self.log_advice(name)}") from None
        if self.leader(name) is None:
            raise ProcessError(f"{name} has ended instead of getting ready. {self.log_advice(name)}")

    def check(self, names: Iterable[str]) -> None:
        """Raises ProcessError, with the end of its log, for the first of these processes that has ended by itself."""
        for name in names:
            if self.leader(name) is None:
                raise ProcessError(f"{name} has ended by itself. {self.log_advice(name)}")

    def log(self, name: str) -> Path:
        return self.state / "logs" / f"{name}.log"

    def log_advice(self, name: str, lines: int = 15) -> str:
        """Where the process's log is and how it ends, for a message."""
        log = self.log(name)
        last = log.read_text(errors="replace").splitlines()[-lines:] if log.exists() else []
        return "\n".join([f"Its log is {log} and ends with:", *(f"    {line[:LINE_LENGTH]}" for line in last)])

    def _family(self, name: str) -> list[psutil.Process]:
        """The process, its descendants and all other members of its group, also when it has ended before them."""
        record = self._record(name)
        if record is None:
            return []
        family: set[psutil.Process] = set()
        with contextlib.suppress(psutil.NoSuchProcess):
            leader = psutil.Process(record.pid)
            if leader.create_time() != record.create_time:
                return []  # a stranger has the id by now, which it could not have while our group existed
            family |= {leader, *leader.children(recursive=True)}
        family |= {process for process in psutil.process_iter() if _group(process) == record.pid}
        return [process for process in family if _is_alive(process)]

    def _record(self, name: str) -> ProcessRecord | None:
        file = self._record_file(name)
        try:
            return ProcessRecord.read(file)
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ProcessError(
                f"{file} is damaged, so nobody knows which process {name} is. End it by hand if it still runs, delete "
                "the file, and try again."
            ) from error

    def _record_file(self, name: str) -> Path:
        return self.state / "run" / f"{name}.json"


def _group(process: psutil.Process) -> int | None:
    with contextlib.suppress(ProcessLookupError):
        return os.getpgid(process.pid)
    return None


def _is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; one that only waits for its parent to take notice does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _left_after(seconds: float, processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those still alive after waiting up to `seconds` for all of them to end."""
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not any(map(_is_alive, processes)), seconds, "")
    return [process for process in processes if _is_alive(process)]
