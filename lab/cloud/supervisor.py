"""Runs one script of a host and leaves nothing of it behind; `lab.cloud.hosts` starts it as a program of its own.

It is a "subreaper" (prctl(2)): whatever of the script loses its parent becomes a child of the supervisor, in a session
of its own or not, so that no process gets away. Standard input is the leash: it ends when the server lets go of it or
dies, and then everything is killed. It starts once for each script, so it imports next to nothing: that takes longer
than most scripts do.

    python supervisor.py PROGRAM [ARGUMENT...]      exits as the program does, 128 plus the number for a signal
"""

import _thread
import ctypes
import os
import signal
import sys
import time

_PR_SET_CHILD_SUBREAPER = 36
_PAUSE = 0.01
_GIVE_UP_SECONDS = 5.0  # a process that waits for a disk ends when the disk answers, whoever has killed it


def main(command: list[str]) -> int:
    """Run the command, then kill what it has left."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    environment = dict(os.environ)
    environment.pop("LC_CTYPE", None)  # Python sets it for itself where no locale is given
    script = os.posix_spawn(
        command[0],
        command,
        environment,
        file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
        setpgroup=0,
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # which Python ignores
    )
    _thread.start_new_thread(_hold_leash, ())
    code = os.waitstatus_to_exitcode(os.waitpid(script, 0)[1])
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
    for process in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208
        try:
            with open(f"/proc/{process}/stat", errors="replace") as stat:  # noqa: PTH123
                # After the name, which may hold anything: state, parent.
                state, parent = stat.read().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it has ended
        if state != "Z":
            children.setdefault(int(parent), []).append(int(process))
    descendants = list(children.get(os.getpid(), []))
    for found in descendants:
        descendants.extend(children.get(found, []))
    for found in descendants:
        try:
            os.kill(found, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return bool(descendants)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
