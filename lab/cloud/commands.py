"""Carries out commands on the hosts that they were sent to."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterable
from datetime import UTC, datetime

from lab.cloud.command_records import UNFINISHED, Command, Invocation
from lab.cloud.data_plane import DataPlane
from lab.cloud.documents import DOCUMENTS
from lab.cloud.hosts import start_script
from lab.cloud.scripts import HostScript
from lab.cloud.state import State


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
        self._state.command_changed(command)

    def cancel(self, command: Command, instance_ids: Iterable[str]) -> None:
        """Kill the scripts of a command that still run; the caller holds the state's lock."""
        for instance_id in instance_ids:
            invocation = command.invocations[instance_id]
            if invocation.status == "Pending":
                invocation.end("Cancelled", "Cancelled", -1)
            elif invocation.status == "InProgress":
                invocation.status = invocation.status_details = "Cancelling"
                self._scripts[command.command_id, instance_id].kill()
        self._state.command_changed(command)

    def give_up_unfinished(self) -> None:
        """Fail what ran when the lab stopped: its scripts ended with the lab."""
        for command in self._state.commands.values():
            for invocation in command.invocations.values():
                if invocation.status in UNFINISHED:
                    invocation.folder.mkdir(parents=True, exist_ok=True)
                    with (invocation.folder / "stderr").open("a") as stderr:
                        stderr.write("The lab's cloud stopped while this script ran, which ended the script.\n")
                    invocation.end("Failed", "Failed", -1)
                    self._state.command_changed(command)

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
            script = start_script(
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
            self._state.command_changed(command)
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
            self._state.command_changed(command)
