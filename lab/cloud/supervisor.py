"""Runs the scripts of hosts and leaves nothing of them behind; `lab.cloud.scripts` starts it as a program of its own.

Each script gets a supervisor, a fork of this program: starting Python for it would take longer than most scripts do.
It is a "subreaper" (prctl(2)): whatever of the script loses its parent becomes a child of the supervisor, in a session
of its own or not, so that no process gets away. Its standard input is the leash: it ends when the server lets go of it
or dies, and then everything is killed.

    python supervisor.py        standard input is a socket, each message of which asks for one script: as JSON its
                                `command`, `environment` and `folder`, with descriptors for its output, its errors, its
                                leash and for what is said of it: "began PID", then "ended CODE", 128 plus the number
                                for a signal; or "failed ERRNO" when the folder cannot be entered.
"""

import _thread
import ctypes
import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import Any

_PR_SET_CHILD_SUBREAPER = 36
_PAUSE = 0.01
_GIVE_UP_SECONDS = 5.0  # a process that waits for a disk ends when the disk answers, whoever has killed it
_LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Fork a supervisor for each message, until the server has gone."""
    server = socket.socket(fileno=0)
    signal.signal(signal.SIGCHLD, _wait_for_ended)
    while True:
        message, descriptors, _, _ = socket.recv_fds(server, 1 << 16, 4, socket.MSG_CMSG_CLOEXEC)
        if not message:
            return
        if os.fork() == 0:
            _supervise(json.loads(message), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def _wait_for_ended(*_: object) -> None:
    """Wait for the supervisors that have ended, or their processor time would be counted nowhere."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _supervise(asked: dict[str, Any], output: int, errors: int, leash: int, said: int) -> None:
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for descriptor, place in ((leash, 0), (output, 1), (errors, 2)):
            os.dup2(descriptor, place)
            os.close(descriptor)
        try:
            os.chdir(asked["folder"])
        except OSError as error:
            _say(said, "failed", error.errno or 0)
            return
        _say(said, "began", os.getpid())
        code = _run(asked["command"], asked["environment"])
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    finally:
        _say(said, "ended", code)
        os._exit(code)  # the fork must not go on with what started it


def _say(said: int, word: str, number: int) -> None:
    with suppress(BrokenPipeError):  # the server has gone, or wants to hear no more
        os.write(said, f"{word} {number}\n".encode())


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Run the command, then kill what it has left."""
    _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
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
    main()
