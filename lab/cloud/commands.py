"""Commands sent to hosts: what was asked, of which hosts, and how far each host has come with it."""

from __future__ import annotations

import subprocess
import threading
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from lab.cloud.data_plane import DataPlane
from lab.cloud.documents import DOCUMENTS
from lab.cloud.hosts import HostScript
from lab.cloud.state import State

UNFINISHED = ("Pending", "InProgress", "Cancelling")


@dataclass
class Invocation:
    """A command's run on one host, in the words of the SSM API; times are UTC."""

    instance_id: str
    folder: Path
    status: str = "Pending"
    status_details: str = "Pending"
    response_code: int = -1
    started_at: datetime | None = None
    ended_at: datetime | None = None

    def output(self, stream: str, characters: int) -> str:
        """The first characters of `stdout` or `stderr`, given once the run has ended, as SSM does."""
        file = self.folder / stream
        if self.ended_at is None or not file.exists():
            return ""
        with file.open(encoding="utf-8", errors="replace") as text:
            return text.read(characters)

    @property
    def elapsed(self) -> str:
        """How long the script ran, as an ISO 8601 duration; empty while it is not known."""
        if not (self.started_at and self.ended_at):
            return ""
        return f"PT{(self.ended_at - self.started_at).total_seconds():.3f}S"

    def end(self, status: str, details: str, response_code: int) -> None:
        self.status, self.status_details, self.response_code = status, details, response_code
        self.ended_at = datetime.now(UTC)


@dataclass
class Command:
    """One SendCommand."""

    document: str
    comment: str
    lines: list[str]
    working_directory: str | None
    execution_seconds: float
    delivery_seconds: int
    command_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    requested_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    invocations: dict[str, Invocation] = field(default_factory=dict)


class CommandRunner:
    """Carries commands out on the hosts' folders, each in a thread of its own, and keeps their state current."""

    def __init__(self, state: State, plane: DataPlane) -> None:
        self._state = state
        self._plane = plane
        self._scripts: dict[tuple[str, str], HostScript] = {}

    def send(self, command: Command, instance_ids: Iterable[str]) -> None:
        """Record a command and start it; the caller holds the state's lock."""
        self._state.commands[command.command_id] = command
        for instance_id in instance_ids:
            folder = self._plane.command(command.command_id, instance_id)
            command.invocations[instance_id] = Invocation(instance_id, folder)
            threading.Thread(target=self._run, args=(command, instance_id), daemon=True).start()

    def cancel(self, command: Command, instance_ids: Iterable[str]) -> None:
        """Kill the scripts of a command that still run; the caller holds the state's lock."""
        for instance_id in instance_ids:
            invocation = command.invocations[instance_id]
            if invocation.status == "Pending":
                invocation.end("Cancelled", "Cancelled", -1)
            elif invocation.status == "InProgress":
                invocation.status = invocation.status_details = "Cancelling"
                self._scripts[command.command_id, instance_id].kill()

    def give_up_unfinished(self) -> None:
        """Fail what ran when the lab stopped: its scripts ended with the lab."""
        for command in self._state.commands.values():
            for invocation in command.invocations.values():
                if invocation.status in UNFINISHED:
                    invocation.folder.mkdir(parents=True, exist_ok=True)
                    with (invocation.folder / "stderr").open("a") as stderr:
                        stderr.write("The lab's cloud stopped while this script ran, which ended the script.\n")
                    invocation.end("Failed", "Failed", -1)

    def _run(self, command: Command, instance_id: str) -> None:
        invocation = command.invocations[instance_id]
        try:
            script = self._start(command, invocation)
        except OSError as error:
            self._end(command, invocation, "Failed", "Failed", -1, complaint=str(error))
            return
        if script is None:
            return
        try:
            code = script.wait(command.execution_seconds)
        except subprocess.TimeoutExpired:
            script.kill()
            self._end(command, invocation, "TimedOut", "ExecutionTimedOut", -1)
            return
        script.kill()
        status = "Success" if code == 0 else "Failed"
        self._end(command, invocation, status, status, code)

    def _start(self, command: Command, invocation: Invocation) -> HostScript | None:
        """Start the script, unless the command was cancelled before it began."""
        with self._state.lock:
            if invocation.status != "Pending":
                return None
            host = self._plane.host(invocation.instance_id)
            text = "\n".join(command.lines) + "\n"
            document = DOCUMENTS[command.document]
            script = HostScript(
                text,
                host,
                invocation.folder,
                command.working_directory,
                interpreter=document.interpreter(invocation.instance_id),
                name=document.script_name,
            )
            self._scripts[command.command_id, invocation.instance_id] = script
            invocation.status = invocation.status_details = "InProgress"
            invocation.started_at = datetime.now(UTC)
            self._state.changed()
            return script

    def _end(
        self, command: Command, invocation: Invocation, status: str, details: str, code: int, complaint: str = ""
    ) -> None:
        with self._state.lock:
            self._scripts.pop((command.command_id, invocation.instance_id), None)
            if complaint:
                invocation.folder.mkdir(parents=True, exist_ok=True)
                (invocation.folder / "stderr").write_text(f"The script could not be started: {complaint}\n")
            if invocation.status == "Cancelling":
                status, details, code = "Cancelled", "Cancelled", -1
            invocation.end(status, details, code)
            self._state.changed()
