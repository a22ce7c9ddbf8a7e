"""The lab's three servers: started together, waited for, looked at, stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lab.cloud import readiness as cloud
from lab.environment import lab_environment
from lab.neighbours import check_ports_are_free
from lab.processes import ProcessError, Processes, procfile_commands
from lab.seed.database_host import lay_data_on_volumes
from lab.settings import HOST, LabSettings
from lab.sqlserver import server as sqlserver
from lab.storage import readiness as storage

READY_SECONDS = 240  # for a machine that is slow and busy: a server that ends is noticed at once

SERVERS: dict[str, Callable[[LabSettings], bool]] = {
    "cloud": cloud.is_ready,
    "storage": storage.is_ready,
    "sqlserver": sqlserver.is_ready,
}


@dataclass(frozen=True)
class ServerStatus:
    """One server: its process id (None when `lab up` did not start it), whether it answers, and where."""

    name: str
    pid: int | None
    answers: bool
    address: str


def lab_processes(settings: LabSettings) -> Processes:
    """The processes of the lab, and of whatever else keeps its records in the same state folder."""
    return Processes(settings.state)


def start_servers(settings: LabSettings, extra: dict[str, str] | None = None) -> None:
    """Start those servers that do not run yet and wait for all of them; `extra` adds to their environment.

    SQL Server comes last: its data folder lies on a volume of the cloud.
    Raises ProcessError when a port is somebody else's, or, naming the server and its log, when one does not answer in
    time.
    """
    commands, environment = procfile_commands(), lab_environment(settings) | (extra or {})
    processes = lab_processes(settings)
    _check_ports(settings, processes)
    for name in ("cloud", "storage"):
        processes.start(name, commands[name], environment)
    _wait_for(settings, "cloud")
    lay_data_on_volumes(settings)
    processes.start("sqlserver", commands["sqlserver"], environment)
    for name in SERVERS:
        _wait_for(settings, name)


def _check_ports(settings: LabSettings, processes: Processes) -> None:
    """Those that run must be on the ports of `settings`; those of the others must be free."""
    leaders = {name: processes.leader(name) for name in SERVERS}
    for name, leader in leaders.items():
        base = leader.environ()["PERENNIAL_LAB_PORT_BASE"] if leader else None
        if base not in (None, str(settings.port_base)):
            raise ProcessError(
                f"{name} of the lab in {settings.state} runs already, with ports from {base} on and not from "
                f"{settings.port_base} on. Set PERENNIAL_LAB_PORT_BASE to {base}, or run `python -m lab down` first."
            )
    stopped = [name for name, leader in leaders.items() if leader is None]
    for name in stopped:
        processes.kill(name)  # what a leader that died by itself has left behind holds its ports
    check_ports_are_free(settings, stopped)


def _wait_for(settings: LabSettings, name: str) -> None:
    lab_processes(settings).wait_until_ready(name, partial(SERVERS[name], settings), READY_SECONDS)


def stop_servers(settings: LabSettings) -> list[str]:
    """Stop them, bounded; the names of those that ran."""
    processes = lab_processes(settings)
    running = [name for name in SERVERS if processes.leader(name)]
    processes.stop(SERVERS)
    return running


def server_statuses(settings: LabSettings) -> list[ServerStatus]:
    """How the servers are, in the order of their start."""
    addresses = {
        "cloud": settings.cloud_url,
        "storage": settings.storage_url,
        "sqlserver": ", ".join(f"{HOST}:{settings.sql_port(number)}" for number in settings.sql_numbers),
    }
    leaders = {name: lab_processes(settings).leader(name) for name in SERVERS}
    return [
        ServerStatus(name, leader.pid if leader else None, SERVERS[name](settings), addresses[name])
        for name, leader in leaders.items()
    ]
