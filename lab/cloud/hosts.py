"""Scripts on hosts: bash truly runs them, in the host's folder, with the lab's host tools first in PATH.

There is no sandbox: a script has the rights of the server's user and can leave its folder, so send only scripts that
you would run by hand.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

HOST_TOOLS = Path(__file__).parent / "host_tools"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BASH = "/bin/bash"

# The guard waits for the server to let go of its end of a pipe and then kills the whole process group: no script
# outlives the lab, even if the lab is killed.
_GUARDED = '(read -r; kill -KILL 0) <&0 >/dev/null 2>&1 & exec "$0" "$1" </dev/null'


def host_environment(host: Path) -> dict[str, str]:
    """All the variables that a script on a host sees."""
    return {"PATH": f"{HOST_TOOLS}:{SYSTEM_PATH}", "HOME": str(host), "TMPDIR": str(host / "tmp")}


class HostScript:
    """One script running on one host, as a process group of its own."""

    def __init__(self, text: str, host: Path, folder: Path, working_directory: str | None = None) -> None:
        """Start it; `folder` receives the script, its `stdout` and its `stderr`.

        Raises:
            OSError: it cannot be started (the working directory is missing, say).
        """
        folder.mkdir(parents=True)
        (host / "tmp").mkdir(exist_ok=True)
        script = folder / "script"
        script.write_text(text)
        with (folder / "stdout").open("wb") as stdout, (folder / "stderr").open("wb") as stderr:
            self._process = subprocess.Popen(
                [_BASH, "-c", _GUARDED, _BASH, str(script)],
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                cwd=working_directory or host,
                env=host_environment(host),
                start_new_session=True,
            )

    def wait(self, seconds: float) -> int:
        """Wait for the script to end.

        Returns:
            Its exit code; 128 plus the signal's number when a signal ended it, as a shell reports it.

        Raises:
            subprocess.TimeoutExpired: it still runs after `seconds`.
        """
        code = self._process.wait(seconds)
        return code if code >= 0 else 128 - code

    def kill(self) -> None:
        """End whatever is left of it, the guard and anything it left in the background included."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
