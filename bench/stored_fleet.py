"""A vault and an account as a fleet leaves them after two months: manifests, shared snapshots, backup files.

Each server has one volume of web folders and one of databases; its tenants share both, so that there is one snapshot of
each volume a day, whose document lists all of them. Or they share the one of databases alone, and each has a web volume
of its own.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import product
from uuid import uuid4

import aiohttp

from bench.stored_points import TENANT, manifest
from include.rules.points.claim_ids import claim_id
from include.rules.points.looks import TenantLook, VolumeLook, fingerprint_of
from include.rules.points.manifest import Expiry, Manifest
from include.rules.points.parts import PartName
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState, SnapshotUser
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy, Tenant
from lab.settings import ZONE
from lab.storage.weed import filer_address
from lab.testing.cloud import LabCloud
from lab.testing.storage import LabStorage

AT_ONCE, THREADS = 32, 8
JSON = {"Content-Type": "application/json"}
_DAY, _ID = date(2001, 1, 1), "acme-daily-20010101"
_AT = datetime(2001, 1, 1, 2, tzinfo=UTC)
"""The day of the documents from which all days' are made."""


@dataclass(frozen=True)
class StoredFleet:
    """What was stored.

    Attributes:
        prefix: Of the vault in its bucket, ending in a slash.
        days: Of which each tenant has a point, the oldest first.
        volumes: The web volume and the database's of each server, or of each tenant.
    """

    prefix: str
    tenants: tuple[Tenant, ...]
    days: tuple[date, ...]
    volumes: tuple[tuple[str, str], ...]
    snapshots: dict[tuple[str, date], str] = field(default_factory=dict)
    nonces: dict[tuple[str, date], str] = field(default_factory=dict)


def policy_for(days: int) -> RetentionPolicy:
    """By which, of so many days, the oldest point goes and the next one expires, as on every day of a fleet's life."""
    return RetentionPolicy(daily=days - 2, weekly=0, monthly=0, yearly=0)


def store_fleet(
    storage: LabStorage, cloud: LabCloud, tenants: int, days: int, servers: int, *, own_web: bool = False
) -> StoredFleet:
    """Store a fleet whose last points are of today; with `own_web` each tenant has a web volume of its own."""
    ec2, today = cloud.client("ec2"), datetime.now(UTC).date()

    def make(count: int) -> list[str]:
        return [ec2.create_volume(AvailabilityZone=ZONE, Size=100)["VolumeId"] for _ in range(count)]

    web, databases = make(tenants if own_web else servers), make(servers)
    volumes = tuple((volume, databases[number % servers]) for number, volume in enumerate(web))
    entries = tuple(a_tenant(number, volumes[number % len(volumes)], days) for number in range(tenants))
    all_days = tuple(today - timedelta(days=ago) for ago in reversed(range(days)))
    fleet = StoredFleet(f"{uuid4().hex[:12]}/", entries, all_days, volumes)
    _make_snapshots(storage, cloud, fleet)
    asyncio.run(_put_all(storage, bodies(fleet)))
    return fleet


def a_tenant(number: int, volumes: tuple[str, str], days: int) -> Tenant:
    name, plan = f"t{number:05}", TENANT.plan.model_copy(update={"retention": policy_for(days)})
    web = TENANT.web.model_copy(update={"volume": volumes[0], "mount": "/srv", "path": f"/srv/{name}"})
    database = TENANT.database.model_copy(update={"volume": volumes[1], "name": f"shop_{name}"})
    content = {"id": name, "plan": plan.model_dump(), "web": web.model_dump(), "database": database.model_dump()}
    return Tenant.model_validate({**content, "tags": {"cost-centre": "4711"}})


def _make_snapshots(storage: LabStorage, cloud: LabCloud, fleet: StoredFleet) -> None:
    ec2 = cloud.client("ec2", max_pool_connections=THREADS)

    def make(place: tuple[str, date]) -> None:
        volume, day = place
        fleet.nonces[place] = nonce = uuid4().hex[:16]
        tags = {
            "perennial:vault": f"s3://{storage.bucket}/{fleet.prefix.rstrip('/')}",
            "perennial:volume": volume,
            "perennial:claim": f"{claim_id(day, 1)}.{nonce}",
        }
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        answer = ec2.create_snapshot(VolumeId=volume, TagSpecifications=[{"ResourceType": "snapshot", "Tags": listed}])
        fleet.snapshots[place] = answer["SnapshotId"]

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(make, product(_each_once(fleet.volumes), fleet.days)))


def bodies(fleet: StoredFleet) -> Iterator[tuple[str, bytes]]:
    """Keys and contents of all objects; a .bak is empty here: nobody reads it."""
    for tenant in fleet.tenants:
        template = _manifest_of(tenant)
        texts = {state: _text(value) for state, value in template.items()}
        for age, day in enumerate(reversed(fleet.days)):
            state = State.EXPIRING if age == len(fleet.days) - 1 else State.VERIFIED
            text = texts[state].replace("2001-01-01", f"{day}").replace("20010101", f"{day:%Y%m%d}")
            for volume in (tenant.web.volume, tenant.database.volume):
                text = text.replace(f"snap-of-{volume}", fleet.snapshots[volume, day])
            point = f"recovery-points/{tenant.id}/{tenant.id}-daily-{day:%Y%m%d}/"
            yield fleet.prefix + point + "manifest.json", text.encode()
            yield fleet.prefix + point + "full-01.bak", b""
    for volume in _each_once(fleet.volumes):
        sharers = [tenant for tenant in fleet.tenants if volume in (tenant.web.volume, tenant.database.volume)]
        for day in fleet.days:
            document = _shared_snapshot(fleet, volume, day, sharers)
            yield f"{fleet.prefix}shared-snapshots/{volume}/{document.id}.json", _text(document).encode()


def _each_once(volumes: Iterable[tuple[str, str]]) -> list[str]:
    return list(dict.fromkeys(volume for pair in volumes for volume in pair))


def _manifest_of(tenant: Tenant) -> dict[State, Manifest]:
    """The manifest of 1 January 2001, verified and expiring, with `snap-of-<volume>` for each snapshot's id."""
    point_id = _ID.replace("acme", tenant.id)
    value = manifest(point_id, _AT, tenant=tenant, claim=claim_id(_DAY, 1))
    look = VolumeLook(at=_AT - timedelta(minutes=1))
    verified = value.model_copy(update={"looks": {PartName.WEB_SNAPSHOT: look, PartName.DB_SNAPSHOT: look}})
    marked = Expiry(marked_at=_AT + timedelta(days=1), previous_state=State.VERIFIED)
    return {
        State.VERIFIED: verified,
        State.EXPIRING: verified.model_copy(update={"state": State.EXPIRING, "expiry": marked}),
    }


def _shared_snapshot(fleet: StoredFleet, volume: str, day: date, sharers: list[Tenant]) -> SharedSnapshot:
    at = datetime(day.year, day.month, day.day, 2, tzinfo=UTC)
    look = VolumeLook(at=at - timedelta(minutes=1))
    is_web = sharers[0].web.volume == volume
    return SharedSnapshot(
        volume=volume,
        id=claim_id(day, 1),
        nonce=fleet.nonces[volume, day],
        state=ShareState.SEALED,
        owner=f"airflow/tenant_backup/{day}",
        claimed_at=at,
        looks={
            fingerprint_of(tenant.web if is_web else tenant.database): TenantLook(tenant=tenant.id, look=look)
            for tenant in sharers
        },
        snapshot_id=fleet.snapshots[volume, day],
        started_at=at,
        size_gib=100,
        users=tuple(
            SnapshotUser(tenant=tenant.id, point=f"{tenant.id}-daily-{day:%Y%m%d}", token=1) for tenant in sharers
        ),
    )


def _text(document: Manifest | SharedSnapshot) -> str:
    """As the vault writes it, with a nonce."""
    content = {**document.model_dump(mode="json"), "nonce": uuid4().hex}
    return json.dumps(content, indent=1, sort_keys=True)


async def _put_all(storage: LabStorage, bodies: Iterable[tuple[str, bytes]]) -> None:
    """Write objects past the S3 API, to weed's filer: a third of the time, and afterwards they are the same."""
    address, rest = f"http://{filer_address(storage.settings)}/buckets/{storage.bucket}/", iter(bodies)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as session:

        async def write() -> None:
            for key, body in rest:
                async with session.put(address + key, data=body, headers=JSON) as answer:
                    answer.raise_for_status()

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(write())
