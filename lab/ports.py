"""Port numbers nobody listens on, for labs that must not meet another one."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from lab.settings import HOST, PORTS

LAST_BASE = 32000  # below the range the system itself hands out to outgoing connections
_claims: list[socket.socket] = []


def free_port_base(first: int) -> int:
    """The first port base from `first` on, in steps of a lab's share, at which every port of a lab is free.

    It is this process's for as long as it lives: nobody else who asks is given the same.
    Raises OSError when there is none below the system's own range.
    """
    for base in range(first, LAST_BASE, PORTS):
        if all(is_free(port) for port in range(base, base + PORTS)) and _claim(base):
            return base
    raise OSError(f"No {PORTS} free ports in a row between {first} and {LAST_BASE} on {HOST}: stop what listens there.")


def _claim(base: int) -> bool:
    """Claim these ports; False where somebody has: of two who look at once, both find the same ones free."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0perennial-lab-ports-{base}")  # without a file: it goes when the process does
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True


def another_users_socket(port: int) -> Path | None:
    """The socket that another user's killed lab has left of this port.

    weed puts them into /tmp whatever TMPDIR says. It cannot take the place of one that only its owner may remove, and
    then waits for itself for ever.
    """
    found = (file for file in Path("/tmp").glob(f"seaweedfs-*-grpc-{port}.sock"))  # noqa: S108
    return next((file for file in found if os.geteuid() not in (0, file.lstat().st_uid)), None)


def is_free(port: int) -> bool:
    """Whether a server can listen on that port of the loopback interface."""
    if another_users_socket(port):
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
