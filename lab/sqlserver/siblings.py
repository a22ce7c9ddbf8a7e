"""The SQL Servers of a lab beside the first: each a process of its own, forked once the program is read.

An interpreter for each would cost 44 MB and 0.3 s of CPU. A fork shares what was read: twenty servers take 250 MB and
0.8 s of CPU together. All in one process would cost less still, but then one lock (Python's) would let one server work
at a time, one crash would end all of them, and all would share one process's open files.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
from contextlib import suppress

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


def fork_siblings(servers: int) -> tuple[int, list[int]]:
    """Go on as so many processes, one for each server; before any thread is started.

    The first is the parent of the others, which do not outlive it.

    Returns:
        The number of the server that the calling process is to be, and the ids of the processes that it has to end.
    """
    gc.freeze()  # what is shared stays shared: a collection would write to all of it
    children: list[int] = []
    parent = os.getpid()
    for number in range(2, servers + 1):
        child = os.fork()
        if child == 0:
            ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)
            return number, []
        children.append(child)
    return 1, children


def end_siblings(children: list[int]) -> None:
    """Ask them to stop, and wait until they have."""
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)
    for child in children:
        with suppress(ChildProcessError):
            os.waitpid(child, 0)
