"""Scripts on hosts: a shell truly runs them, in the host's folder, with the lab's host tools first in PATH.

There is no sandbox: a script has the rights of the server's user and can leave its folder, so send only scripts that
you would run by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lab.cloud.scripts import HostScript

HOST_TOOLS = Path(__file__).parent / "host_tools"
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHELL = ("/bin/sh",)


def host_environment(host: Path) -> dict[str, str]:
    """All the variables that a script on a host sees."""
    return {"PATH": f"{HOST_TOOLS}:{SYSTEM_PATH}", "HOME": str(host), "TMPDIR": str(host / "tmp")}


def start_script(
    text: str, host: Path, folder: Path, working_directory: str | None, *, interpreter: Sequence[str], name: str
) -> HostScript:
    """Start a script on a host; `folder` receives the script, its `stdout` and its `stderr`.

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
    return HostScript(
        [*interpreter, str(script)],
        working_directory or host,
        host_environment(host),
        folder / "stdout",
        folder / "stderr",
    )
