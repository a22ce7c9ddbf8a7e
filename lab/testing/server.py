"""A server of a lab on a folder and ports that nobody else uses, which ends when it is told to."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from lab.environment import lab_environment
from lab.ports import LAST_BASE, free_port_base
from lab.settings import PORTS, LabSettings
from lab.testing.deadlines import within

START_SECONDS = within(60)
STOP_SECONDS = within(10)
_FIRST_BASE = 16000


def new_settings(state: Path, sql_servers: int = 1) -> LabSettings:
    """Settings of a lab on free ports; tests that run at the same time begin looking in different places."""
    start = random.randrange(_FIRST_BASE, LAST_BASE - 100 * PORTS, PORTS)  # noqa: S311 - not a secret
    return LabSettings(state=state, port_base=free_port_base(start), sql_servers=sql_servers)


class LabServer:
    """One server of a lab, `python -m MODULE`, in a process of its own; as a context it is started and stopped."""

    def __init__(
        self,
        module: str,
        settings: LabSettings,
        wait_until_ready: Callable[[LabSettings, float], None],
        environment: Mapping[str, str],
    ) -> None:
        self.settings = settings
        self._module = module
        self._wait_until_ready = wait_until_ready
        self._environment = {**lab_environment(settings), **environment}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def log_file(self) -> Path:
        return self.settings.state / "logs" / f"{self._module}.log"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._process is None:
            raise RuntimeError(f"{self._module} does not run")
        return self._process.pid

    def start(self) -> None:
        """Start the server and wait until it answers; a failure shows its log."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module], env=self._environment, stdout=log, stderr=log
            )
        try:
            self._wait_until_ready(self.settings, START_SECONDS)
        except BaseException as error:
            self.stop()
            if isinstance(error, KeyboardInterrupt):  # somebody wants the whole run to end
                raise
            raise RuntimeError(f"{self._module} did not start:\n{self.log_file.read_text()[-3000:]}") from error

    def ensure_running(self) -> None:
        """Start the server again where somebody has left it ended."""
        if self._process is None or self._process.poll() is not None:
            self.restart()

    def kill(self) -> None:
        """SIGKILL: no warning, no clean-up."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, as `lab down` does; SIGKILL if that is ignored for too long."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Start again after a kill, or after a stop."""
        self.stop()
        self.start()

    def _end(self, signal_number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal_number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
