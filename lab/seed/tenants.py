"""The three tenants of a lab: two web hosts, one SQL Server on a database host, a volume for each web application."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab.seed.database_host import database_host
from lab.seed.hosts import Hosts
from lab.seed.register import register, registered
from lab.seed.shop import write_shop, write_vault_credential
from lab.seed.website import write_website
from lab.settings import ZONE, LabSettings
from lab.storage.readiness import ensure_bucket

CONNECTION = "sql_server_lab"


@dataclass(frozen=True)
class SeedTenant:
    """One tenant to seed: where it is hosted and how large its shop is (customers; 31 rows each)."""

    id: str
    number: int
    company: str
    web_host: str
    device: str
    customers: int
    cost_centre: str


TENANTS = (
    SeedTenant("acme", 1, "Acme", "web-1", "/dev/sdf", customers=1000, cost_centre="4711"),
    SeedTenant("globex", 2, "Globex", "web-1", "/dev/sdg", customers=600, cost_centre="4712"),
    SeedTenant("initech", 3, "Initech", "web-2", "/dev/sdf", customers=300, cost_centre="4713"),
)


def seed(settings: LabSettings, say: Callable[[str], None] = print) -> None:
    """Make what is missing: a tenant in the register is left alone, any other is made from scratch.

    The lab's servers must be up. Each tenant enters the register last, so that a seeding cut off is taken up again.
    """
    ensure_bucket(settings)
    write_vault_credential(settings)
    hosts = Hosts(settings)
    for tenant in TENANTS:
        if tenant.id in registered(settings):
            say(f"{tenant.id}: is in the register already, left as it is")
        else:
            _seed_tenant(settings, hosts, tenant)
            say(f"{tenant.id}: web application on {tenant.web_host}, {tenant.customers * 31 + 501:,} database rows")


def _seed_tenant(settings: LabSettings, hosts: Hosts, tenant: SeedTenant) -> None:
    web_host = hosts.host(tenant.web_host)
    web_volume, mount = hosts.volume(f"{tenant.id}-web", web_host, tenant.device, f"/srv/{tenant.id}")
    site = mount / "www"
    write_website(site, tenant.id)
    database = f"shop_{tenant.id}"
    write_shop(settings, database, tenant.company, tenant.number, tenant.customers)
    server = database_host(hosts)
    web = {
        "instance": web_host,
        "volume": web_volume,
        "zone": ZONE,
        "path": str(site),
        "mount": str(mount),
        "platform": "linux",
    }
    served = {
        "connection": CONNECTION,
        "name": database,
        "instance": server.instance,
        "volume": server.volume,
        "zone": ZONE,
        "mount": str(server.data),
        "platform": "linux",
    }
    tags = {"cost-centre": tenant.cost_centre}
    register(settings, {"id": tenant.id, "plan": "standard", "web": web, "database": served, "tags": tags})
