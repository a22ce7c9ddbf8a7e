"""Runs one script of a host and leaves nothing of it behind; `lab.cloud.hosts` starts it as a program of its own.

It is a "subreaper" (prctl(2)): whatever of the script loses its parent becomes a child of the supervisor, in a session
of its own or not, so that no process gets away. Standard input is the leash: it ends when the server lets go of it or
dies, and then everything is killed.

    python supervisor.py PROGRAM [ARGUMENT...]      exits as the program does, 128 plus the number for a signal
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_PAUSE = 0.01
_GIVE_UP_SECONDS = 5.0  # a process that waits for a disk ends when the disk answers, whoever has killed it


def main(command: list[str]) -> int:
    """Run the command, then kill what it has left."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    environment = dict(os.environ)
    environment.pop("LC_CTYPE", None)  # Python sets it for itself where no locale is given
    script = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, process_group=0)
    threading.Thread(target=_hold_leash, daemon=True).start()
    code = script.wait()
    deadline = time.monotonic() + _GIVE_UP_SECONDS
    while _has_children() and _kill_descendants() and time.monotonic() < deadline:
        time.sleep(_PAUSE)
    return code if code >= 0 else 128 - code


def _hold_leash() -> None:
    """Once standard input has ended: kill until the main thread, whose script has ended by that, ends too."""
    while os.read(0, 1024):
        pass
    while True:
        _kill_descendants()
        time.sleep(_PAUSE)


def _has_children() -> bool:
    """Whether any process is left below this one: its parent is, or it has become a child itself. Looking is cheap."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _kill_descendants() -> bool:
    """Send SIGKILL to every process below this one; whether there was any. Those killed may have had children since."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # After the name, which may hold anything: state, parent.
            state, parent = stat.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state != "Z":
                children.setdefault(int(parent), []).append(int(stat.parent.name))
    descendants = list(children.get(os.getpid(), []))
    for pid in descendants:
        descendants.extend(children.get(pid, []))
    for pid in descendants:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(descendants)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
