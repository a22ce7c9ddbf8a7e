"""What the lab's cloud knows, kept on disk so that nothing it acknowledged is lost when it is killed.

One lock serialises everything that reads or changes the backends (moto is not made for threads). No answer leaves
before what it may have seen is on disk; calls that finish while a save runs share the next one. What moto knows is one
file, written anew where a call may have changed it. A command has a file of its own: hosts run scripts all the time,
and nothing that moto knows changes by that.

Kept: EC2 with EBS, IAM, STS and the commands sent through SSM. moto's other services, its S3 among them, live in
memory only; the lab's S3 is `lab.storage`.
"""

from __future__ import annotations

import fcntl
import pickle
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moto.core.base_backend import BackendDict
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from lab.cloud.command_records import Command

_BACKENDS: dict[str, BackendDict[Any]] = {
    "ec2": ec2_backends,
    "iam": iam_backends,
    "sts": sts_backends,
}

_RECORD = "record.pickle"  # of a command, in its folder


class State:
    """The cloud's memory: `lock` guards it, `commands` holds what was sent to hosts, the rest is in moto's backends."""

    def __init__(self, folder: Path) -> None:
        """Open the state kept in `folder`, which one server at a time may use.

        Raises:
            RuntimeError: another server uses the folder.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.lock = threading.RLock()
        self.commands: dict[str, Command] = {}
        self._file = folder / "metadata.pickle"
        self._commands_folder = folder / "commands"
        self._saving = threading.Lock()
        self._version = 0
        self._saved_version = 0
        self._backends_changed = False
        self._commands_changed: dict[str, Command] = {}
        self._discarded: list[Path] = []
        self._owner = (folder / "lock").open("w")
        try:
            fcntl.flock(self._owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(
                f"Another lab cloud already uses {folder}: two would overwrite each other's metadata. "
                f"Stop that one, or give this one a state folder of its own (PERENNIAL_LAB_STATE)."
            ) from None

    def load(self) -> None:
        """Take up what an earlier server kept, if any; moto's backends must be those of the lab by now."""
        records = [pickle.loads(file.read_bytes()) for file in self._commands_folder.glob(f"*/{_RECORD}")]  # noqa: S301
        records.sort(key=lambda command: command.requested_at)
        self.commands = {command.command_id: command for command in records}
        if not self._file.exists():
            return
        kept = pickle.loads(self._file.read_bytes())  # noqa: S301 - written by this class only
        for service, backends in kept["backends"].items():
            for (account, region), backend in backends.items():
                _BACKENDS[service][account][region] = backend

    def changed(self) -> None:
        """Note that something in moto's backends was changed; the caller holds the lock."""
        self._version += 1
        self._backends_changed = True

    def command_changed(self, command: Command) -> None:
        """Note that a command is new or has come further; the caller holds the lock."""
        self._version += 1
        self._commands_changed[command.command_id] = command

    def after(self, seconds: float, deed: Callable[[], bool]) -> None:
        """Do something later, with the lock held; it says whether it has changed anything to keep."""

        def do() -> None:
            with self.lock:
                if deed():
                    self.changed()
            self.make_durable()

        timer = threading.Timer(seconds, do)
        timer.daemon = True
        timer.start()

    def discard(self, folder: Path) -> None:
        """Delete a folder as soon as the metadata that no longer know it are on disk, and never before."""
        self._discarded.append(folder)

    def make_durable(self) -> None:
        """Return once every change made before this call is on disk; the caller does not hold the lock."""
        version = self._version
        with self._saving:
            if self._saved_version < version:
                self._save()

    def _save(self) -> None:
        with self.lock:
            version = self._version
            discarded, self._discarded = self._discarded, []
            commands, self._commands_changed = self._commands_changed, {}
            images = {
                self._commands_folder / command_id / _RECORD: _image(command)
                for command_id, command in commands.items()
            }
            if self._backends_changed:
                images[self._file] = _image({"backends": _kept_backends()})
                self._backends_changed = False
        for file, image in images.items():
            _write(file, image)
        self._saved_version = version
        for folder in discarded:
            shutil.rmtree(folder, ignore_errors=True)


def _kept_backends() -> dict[str, dict[tuple[str, str], Any]]:
    return {
        service: {(account, region): backend for account, region, backend in found.iter_backends()}
        for service, found in _BACKENDS.items()
    }


def _image(kept: object) -> bytes:
    return pickle.dumps(kept, pickle.HIGHEST_PROTOCOL)


def _write(file: Path, image: bytes) -> None:
    """Put a file in the place of the one before it, whole or not at all."""
    file.parent.mkdir(exist_ok=True)
    unfinished = file.with_suffix(".tmp")
    unfinished.write_bytes(image)
    unfinished.replace(file)
