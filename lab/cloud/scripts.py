"""Scripts that run on hosts, each under a supervisor that ends all of it when the server lets go or dies."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

KILL_SECONDS = 10.0

# Isolated, and without site packages: it needs none, and its forks are small.
_SUPERVISORS = (sys.executable, "-I", "-S", str(Path(__file__).with_name("supervisor.py")))


class Supervisors:
    """The program that makes the supervisors: started with the first script, and again where somebody has ended it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._door: socket.socket | None = None

    def ask(self, message: bytes, descriptors: Sequence[int]) -> None:
        """Ask for a supervisor, in the words of lab/cloud/supervisor.py."""
        with self._lock:
            if self._door is not None:
                with suppress(OSError):
                    socket.send_fds(self._door, [message], descriptors)
                    return
                self._door.close()
            self._door = self._start()
            socket.send_fds(self._door, [message], descriptors)

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                _SUPERVISORS, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, start_new_session=True
            )
        return ours

    def end(self) -> None:
        """Let the program end, and wait for it, so that its processor time is counted as the server's."""
        if self._door is not None:
            self._door.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(1)


SUPERVISORS = Supervisors()


class HostScript:
    """One script running on one host."""

    def __init__(
        self, command: Sequence[str], folder: Path | str, environment: Mapping[str, str], output: Path, errors: Path
    ) -> None:
        """Start it.

        Args:
            command: Its program and the arguments of that.
            folder: Where it begins.
            environment: All the variables that it sees.
            output, errors: The files that receive what it prints and what it complains about.

        Raises:
            OSError: it cannot be started (the folder is missing, say).
        """
        asked = {"command": list(command), "folder": str(folder), "environment": dict(environment)}
        self._command = list(command)
        self._lock = threading.Lock()
        self._words: list[str] = []
        self._heard = b""
        with ExitStack() as theirs:
            files = [theirs.enter_context(file.open("wb")).fileno() for file in (output, errors)]
            leash, ours = os.pipe()
            self._leash = os.fdopen(ours, "wb", buffering=0)
            theirs.callback(os.close, leash)
            ours, said = os.pipe()
            self._said = os.fdopen(ours, "rb", buffering=0)
            theirs.callback(os.close, said)
            SUPERVISORS.ask(json.dumps(asked).encode(), [*files, leash, said])
        word, number = self._next(None)
        if word == "failed":
            raise OSError(number, os.strerror(number), str(folder))
        self._supervisor = number

    def wait(self, seconds: float) -> int:
        """Wait for the script to end, and for everything it has started.

        Returns:
            Its exit code; 128 plus the signal's number when a signal ended it, as a shell reports it.

        Raises:
            subprocess.TimeoutExpired: it still runs after `seconds`.
        """
        until = time.monotonic() + seconds
        if not self._lock.acquire(timeout=max(0.0, seconds)):
            raise subprocess.TimeoutExpired(self._command, seconds)
        try:
            if self._code is None:
                self._code = self._next(until)[1]
        finally:
            self._lock.release()
        return self._code

    _code: int | None = None

    def _next(self, until: float | None) -> tuple[str, int]:
        """The next thing that the supervisor says; where it was killed, that it has ended as killed programs do."""
        while b"\n" not in self._heard:
            poll = select.poll()  # not select(), which knows descriptors up to 1,023 only
            poll.register(self._said, select.POLLIN)
            if not poll.poll(None if until is None else max(0.0, until - time.monotonic()) * 1000):
                raise subprocess.TimeoutExpired(self._command, 0)
            more = self._said.read(4096)
            if not more:
                return "ended", 128 + signal.SIGKILL
            self._heard += more
        line, _, self._heard = self._heard.partition(b"\n")
        word, number = line.split()
        return word.decode(), int(number)

    def kill(self) -> None:
        """End whatever is left of it, in the background or in sessions of its own."""
        self._leash.close()
        try:
            self.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.kill(self._supervisor, signal.SIGKILL)
            self.wait(KILL_SECONDS)
