"""The hosts that the SQL Servers run on, as far as AWS sees them, and the volumes that hold their databases' files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.seed.hosts import Hosts
from lab.seed.many_volumes import WantedVolume, make_hosts, make_volumes, place
from lab.settings import LabSettings

DEVICE = "/dev/sdf"
MOUNT = "/var/opt/mssql/data"


@dataclass(frozen=True)
class DatabaseHost:
    """The instance's id, the id of its data volume, and the folder where the lab shows that volume mounted."""

    instance: str
    volume: str
    data: Path


def database_host(hosts: Hosts) -> DatabaseHost:
    """The host of the first SQL Server with its volume attached and mounted, made if need be."""
    instance = hosts.host("sql-1")
    volume, data = hosts.volume("sql-1-data", instance, DEVICE, MOUNT)
    return DatabaseHost(instance, volume, data)


def lay_data_on_volumes(settings: LabSettings) -> None:
    """Before a SQL Server's first start: put its data and its logs on its volume, so that a snapshot holds its files.

    Both lie in one folder, as a new SQL Server on Linux has them.
    """
    links = [
        (number, settings.sql_folder(number) / name) for number in settings.sql_numbers for name in ("data", "log")
    ]
    missing = [(number, link) for number, link in links if not link.exists()]
    hosts = Hosts(settings)
    names = {number: f"sql-{number}" for number, _ in missing}
    instances = make_hosts(hosts, names.values())
    make_volumes(hosts, [WantedVolume(f"{name}-data", instances[name], DEVICE, MOUNT) for name in names.values()])
    for number, link in missing:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(place(hosts, instances[names[number]], MOUNT))
