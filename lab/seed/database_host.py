"""The host SQL Server runs on, as far as AWS sees it, and the volume that holds its databases' files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.seed.hosts import Hosts
from lab.settings import LabSettings

NAME = "sql-1"
DEVICE = "/dev/sdf"
MOUNT = "/var/opt/mssql/data"


@dataclass(frozen=True)
class DatabaseHost:
    """The instance's id, the id of its data volume, and the folder where the lab shows that volume mounted."""

    instance: str
    volume: str
    data: Path


def database_host(hosts: Hosts) -> DatabaseHost:
    """The host with its volume attached and mounted, made if need be."""
    instance = hosts.host(NAME)
    volume, data = hosts.volume(f"{NAME}-data", instance, DEVICE, MOUNT)
    return DatabaseHost(instance, volume, data)


def lay_data_on_volume(settings: LabSettings) -> None:
    """Before SQL Server's first start: put its data and its logs on the volume, so that a snapshot holds its files.

    Both lie in one folder, as a new SQL Server on Linux has them.
    """
    for name in ("data", "log"):
        folder = settings.state / "sqlserver" / name
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.symlink_to(database_host(Hosts(settings)).data)
