"""Whose ports these are: a lab must not start on another one's, and no command may reach the wrong lab.

The cloud and the storage say at `/lab/health` which state folder is theirs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from lab.ports import another_users_socket, is_free
from lab.processes import ProcessError
from lab.settings import HOST, LabSettings

SECONDS = 2
OTHER_PORTS = "Give this one ports of its own: set PERENNIAL_LAB_PORT_BASE to another number, 17000 say."


def health(state: Path) -> dict[str, Any]:
    """What a server answers at `/lab/health`: the state folder of its lab and its process id."""
    return {"status": "ok", "state": str(state.resolve()), "pid": os.getpid()}


def check_ports_are_not_anothers(settings: LabSettings) -> None:
    """Raises ProcessError, naming it, when another lab answers on this one's ports."""
    for port in (settings.cloud_port, settings.storage_port):
        server = _ask(port)
        if server and server["state"] != str(settings.state.resolve()):
            raise ProcessError(
                f"Port {port} belongs to the lab in {server['state']} (process {server['pid']}), not to the one in "
                f"{settings.state}, so nothing was done. Stop that lab, or name its state folder in "
                f"PERENNIAL_LAB_STATE if you meant it. {OTHER_PORTS}"
            )


def check_ports_are_free(settings: LabSettings, names: Iterable[str]) -> None:
    """Raises ProcessError, saying by whom, when a port is taken on which one of these servers is to listen."""
    check_ports_are_not_anothers(settings)
    for name in names:
        for port in _ports(settings, name):
            if socket := another_users_socket(port):
                raise ProcessError(
                    f"{name} of the lab in {settings.state} cannot start: a killed lab of another user has left "
                    f"{socket}. Remove it as that user. {OTHER_PORTS}"
                )
            if not is_free(port):
                raise ProcessError(
                    f"{name} of the lab in {settings.state} cannot start: {_holder(port)} listens on its port "
                    f"{HOST}:{port} already. Stop that first. {OTHER_PORTS}"
                )


def _ports(settings: LabSettings, name: str) -> list[int]:
    return {
        "cloud": [settings.cloud_port],
        "storage": [settings.storage_port, *range(settings.port_base + 10, settings.port_base + 20)],
        "sqlserver": [settings.sql_port(number) for number in settings.sql_numbers],
    }[name]


def _holder(port: int) -> str:
    server = _ask(port)
    return f"process {server['pid']}, of which this lab has no record," if server else "another program"


def _ask(port: int) -> dict[str, Any] | None:
    """What the lab's server on that port says of itself, None where none answers."""
    connection = HTTPConnection(HOST, port, timeout=SECONDS)
    try:
        connection.request("GET", "/lab/health")
        answer = connection.getresponse()
        report = json.loads(answer.read()) if answer.status == 200 else None
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return report if isinstance(report, dict) and {"state", "pid"} <= report.keys() else None
