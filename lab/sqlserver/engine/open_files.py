"""The files that a server keeps open: a bounded number of its databases', and what there is room for."""

from __future__ import annotations

import errno
import resource
from collections import OrderedDict
from threading import Lock
from typing import Protocol

MOST_LOGS = 32
MOST_DESCRIPTORS = 65_536
_PER_SESSION = 8  # its socket, and three files for its own database and for one that a statement reads beside it
_FOR_THE_SERVER = 200  # its own files, and those of MOST_LOGS logs


class Closable(Protocol):
    """Something with an open file that opens it again when it is used."""

    def close_if_idle(self) -> bool:
        """Close the file, unless somebody is just using it; whether it is closed now."""


class OpenFiles:
    """Those that have been used last; each beyond `most` is closed, the one first that was not used for longest."""

    def __init__(self, most: int = MOST_LOGS) -> None:
        self._most = most
        self._lock = Lock()
        self._by_use: OrderedDict[Closable, None] = OrderedDict()

    def used(self, owner: Closable) -> None:
        """Note that `owner` has its file open and uses it now."""
        with self._lock:
            self._by_use[owner] = None
            self._by_use.move_to_end(owner)
            for other in list(self._by_use)[: -self._most]:
                if other.close_if_idle():
                    del self._by_use[other]

    def closed(self, owner: Closable) -> None:
        """Note that `owner` has closed its file."""
        with self._lock:
            self._by_use.pop(owner, None)


def raise_limit() -> None:
    """Let this process open as many files as it may, up to MOST_DESCRIPTORS."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def most_sessions() -> int:
    """For how many sessions this process has descriptors; at least one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, (soft - _FOR_THE_SERVER) // _PER_SESSION)


def is_lack_of_descriptors(error: OSError) -> bool:
    """Whether a file could not be opened because this process, or the machine, has too many open."""
    return error.errno in (errno.EMFILE, errno.ENFILE)
