"""A fleet: as many tenants as one likes, with a tiny database and a small web folder each, on shared volumes.

    python -m lab seed-fleet 1000 --per-volume 20       20 SQL Servers: PERENNIAL_LAB_SQL_SERVERS=20 for all commands

Tenants t0001 to t0020 share a database volume of SQL Server 1 and a web volume, t0021 to t0040 those of SQL Server 2,
and so on, round and round. `sql_server_lab_01` and its like are the names of the connections in the register;
`fleet_connections` says where each of them leads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.seed.fleet_databases import FleetDatabase, attach_copies, make_template
from lab.seed.hosts import Hosts
from lab.seed.many_volumes import DEVICES, WantedVolume, make_hosts, make_volumes, place, side_by_side
from lab.seed.register import register_all, registered
from lab.seed.shop import write_vault_credential
from lab.settings import HOST, ZONE, LabSettings
from lab.storage.readiness import ensure_bucket

WEB_VOLUMES_PER_HOST = 20
_PAGE = "<!doctype html><title>{tenant}</title><h1>{tenant}</h1>\n"


@dataclass(frozen=True)
class FleetTenant:
    """Where one tenant is: the number of its SQL Server, and its shared volumes, both counted from 1."""

    id: str
    sql_server: int
    volume: int

    @property
    def database(self) -> str:
        return f"site_{self.id}"

    @property
    def data_mount(self) -> str:
        return f"/var/opt/mssql/volume-{self.volume:04}"

    @property
    def web_mount(self) -> str:
        return f"/srv/web-{self.volume:04}"

    @property
    def web_host(self) -> str:
        return f"web-{(self.volume - 1) // WEB_VOLUMES_PER_HOST + 1}"


def fleet_tenants(count: int, per_volume: int, servers: int) -> list[FleetTenant]:
    """The tenants of a fleet of that size. Raises ValueError where a SQL Server's host would have too many volumes."""
    volumes = -(-count // per_volume)
    most = len(DEVICES)
    if -(-volumes // servers) > most:
        raise ValueError(
            f"{count} tenants with {per_volume} on a volume need {volumes} volumes, but {servers} hosts have names for "
            f"{most} each. Put more tenants on a volume, or start more SQL Servers (PERENNIAL_LAB_SQL_SERVERS)."
        )
    return [
        FleetTenant(f"t{number + 1:04}", volume % servers + 1, volume + 1)
        for number in range(count)
        for volume in [number // per_volume]
    ]


def seed_fleet(
    settings: LabSettings, count: int, per_volume: int = 20, plan: str = "standard", say: Callable[[str], None] = print
) -> list[FleetTenant]:
    """Make the fleet's tenants that are missing, on all SQL Servers of the lab, whose servers must be up.

    They enter the register at the end, all at once; a seeding cut off is taken up again. Raises ValueError as
    `fleet_tenants` does.
    """
    tenants = fleet_tenants(count, per_volume, settings.sql_servers)
    known = registered(settings)
    missing = [tenant for tenant in tenants if tenant.id not in known]
    ensure_bucket(settings)
    hosts = Hosts(settings)
    instances = _make_hosts(hosts, settings, missing)
    volumes = make_volumes(hosts, _wanted_volumes(instances, missing))
    template = make_template(settings)
    by_server: dict[int, list[FleetDatabase]] = defaultdict(list)
    for tenant in missing:
        _write_site(place(hosts, instances[tenant.web_host], tenant.web_mount) / tenant.id, tenant.id)
        data = place(hosts, instances[f"sql-{tenant.sql_server}"], tenant.data_mount)
        by_server[tenant.sql_server].append(FleetDatabase(tenant.id, tenant.database, data))
    side_by_side(lambda number: write_vault_credential(settings, number), settings.sql_numbers)
    side_by_side(lambda number: attach_copies(settings, number, by_server[number], template), list(by_server))
    register_all(settings, [_entry(hosts, instances, volumes, tenant, plan) for tenant in missing])
    say(
        f"{len(missing)} tenants seeded, {count - len(missing)} were there: {per_volume} on a volume, "
        f"{settings.sql_servers} SQL Servers, {len(volumes)} volumes."
    )
    return tenants


def connection_name(number: int) -> str:
    """The name by which the register calls the connection to one of the SQL Servers."""
    return f"sql_server_lab_{number:02}"


def fleet_connections(settings: LabSettings) -> dict[str, dict[str, Any]]:
    """Airflow's connections to the lab's SQL Servers by name, as AIRFLOW_CONN_ variables hold them in JSON."""
    return {
        connection_name(number): {
            "conn_type": "mssql",
            "host": HOST,
            "port": settings.sql_port(number),
            "login": settings.sql_user,
            "password": settings.sql_password,
        }
        for number in settings.sql_numbers
    }


def _make_hosts(hosts: Hosts, settings: LabSettings, tenants: list[FleetTenant]) -> dict[str, str]:
    """The ids of the hosts by their names; those of the SQL Servers are there since the servers' first start."""
    web = {tenant.web_host for tenant in tenants}
    return make_hosts(hosts, [*sorted(web), *(f"sql-{number}" for number in settings.sql_numbers)])


def _wanted_volumes(instances: dict[str, str], tenants: list[FleetTenant]) -> list[WantedVolume]:
    """Two for each group of sharers; a device's name says which of its host's volumes it is."""
    wanted = {}
    servers = len([name for name in instances if name.startswith("sql-")])
    for tenant in tenants:
        data, web = f"data-{tenant.volume:04}", f"web-{tenant.volume:04}"
        device = DEVICES[(tenant.volume - 1) // servers]
        wanted[data] = WantedVolume(data, instances[f"sql-{tenant.sql_server}"], device, tenant.data_mount)
        device = DEVICES[(tenant.volume - 1) % WEB_VOLUMES_PER_HOST]
        wanted[web] = WantedVolume(web, instances[tenant.web_host], device, tenant.web_mount)
    return list(wanted.values())


def _write_site(folder: Path, tenant: str) -> None:
    """A web folder of four small files, `www` below the tenant's own; whatever was there is left."""
    for name, text in {
        "index.html": _PAGE.format(tenant=tenant),
        "config/site.json": f'{{"tenant": "{tenant}", "theme": "plain"}}\n',
        "uploads/Übersicht.txt": f"Hochgeladen von {tenant}.\n" * 40,
        "assets/site.css": "body { margin: 2rem; }\n",
    }.items():
        file = folder / "www" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _entry(
    hosts: Hosts, instances: dict[str, str], volumes: dict[str, str], tenant: FleetTenant, plan: str
) -> dict[str, Any]:
    server, web_host = instances[f"sql-{tenant.sql_server}"], instances[tenant.web_host]
    web_mount = place(hosts, web_host, tenant.web_mount)
    common = {"zone": ZONE, "platform": "linux"}
    return {
        "id": tenant.id,
        "plan": plan,
        "web": {
            "instance": web_host,
            "volume": volumes[f"web-{tenant.volume:04}"],
            "path": str(web_mount / tenant.id / "www"),
            "mount": str(web_mount),
            **common,
        },
        "database": {
            "connection": connection_name(tenant.sql_server),
            "name": tenant.database,
            "instance": server,
            "volume": volumes[f"data-{tenant.volume:04}"],
            "mount": str(place(hosts, server, tenant.data_mount)),
            **common,
        },
        "tags": {"cost-centre": f"{4000 + tenant.volume}"},
    }
