"""Scripts on hosts: bash truly runs them, in the host's folder, with the lab's host tools first in PATH.

There is no sandbox: a script has the rights of the server's user and can leave its folder, so send only scripts that
you would run by hand.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HOST_TOOLS = Path(__file__).parent / "host_tools"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BASH = ("/bin/bash",)
KILL_SECONDS = 10.0

# Isolated, and without site packages: the supervisor needs none, and starts in a few hundredths of a second.
_SUPERVISED = (sys.executable, "-I", "-S", str(Path(__file__).with_name("supervisor.py")))


def host_environment(host: Path) -> dict[str, str]:
    """All the variables that a script on a host sees."""
    return {"PATH": f"{HOST_TOOLS}:{SYSTEM_PATH}", "HOME": str(host), "TMPDIR": str(host / "tmp")}


class HostScript:
    """One script running on one host, under a supervisor that ends all of it when the server lets go or dies."""

    def __init__(
        self,
        text: str,
        host: Path,
        folder: Path,
        working_directory: str | None,
        *,
        interpreter: Sequence[str],
        name: str,
    ) -> None:
        """Start it; `folder` receives the script, its `stdout` and its `stderr`.

        Args:
            interpreter: The program, and its arguments, that the script's path is given to.
            name: The script's file name, which some interpreters look at.

        Raises:
            OSError: it cannot be started (the working directory is missing, say).
        """
        folder.mkdir(parents=True)
        (host / "tmp").mkdir(exist_ok=True)
        script = folder / name
        script.write_text(text)
        with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
            self._supervisor = subprocess.Popen(
                [*_SUPERVISED, *interpreter, str(script)],
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                cwd=working_directory or host,
                env=host_environment(host),
                start_new_session=True,
            )

    def wait(self, seconds: float) -> int:
        """Wait for the script to end, and for everything it has started.

        Returns:
            Its exit code; 128 plus the signal's number when a signal ended it, as a shell reports it.

        Raises:
            subprocess.TimeoutExpired: it still runs after `seconds`.
        """
        code = self._supervisor.wait(seconds)
        return code if code >= 0 else 128 - code

    def kill(self) -> None:
        """End whatever is left of it, in the background or in sessions of its own."""
        if self._supervisor.stdin:
            self._supervisor.stdin.close()
        try:
            self._supervisor.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()
