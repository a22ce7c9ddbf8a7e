"""A vault in the lab's S3 with manifests of chosen times, to read them as retention does."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from include.rules.points.manifest import Manifest
from include.rules.register.tenants import Tenant
from lab.settings import REGION
from lab.testing.storage import LabStorage
from perennial.hooks.aws.clients import closing_clients
from perennial.hooks.vault.vault import Vault
from perennial.settings import Settings

TENANT = Tenant.model_validate(
    {
        "id": "acme",
        "plan": {"name": "standard", "cadence": "daily", "manual_backups_per_month": 10, "rpo_hours": 26},
        "web": {
            "instance": "i-0123456789abcdef0",
            "volume": "vol-0123456789abcdef0",
            "zone": "eu-central-1a",
            "mount": "/srv/acme",
            "path": "/srv/acme/site",
        },
        "database": {
            "connection": "sql_server",
            "name": "shop",
            "instance": "i-0123456789abcdef1",
            "volume": "vol-0123456789abcdef1",
            "zone": "eu-central-1a",
        },
    }
)
CONNECTION = "aws_benchmark"
AT_ONCE = 16


def manifest(point_id: str, time: datetime, *, tenant: Tenant = TENANT, claim: str = "") -> Manifest:
    """A verified daily point with its parts, as a backup leaves it: about 3 KB in the vault.

    Args:
        claim: Of its snapshots, which are then called `snap-of-<volume>`; empty for snapshots of its own.
    """
    prefix, minute = f"recovery-points/{tenant.id}/{point_id}", timedelta(minutes=1)
    snapshots: dict[str, Any] = {
        f"{name}_snapshot": {
            "snapshot_id": f"snap-of-{volume}" if claim else f"snap-{uuid4().hex[:17]}",
            "volume_id": volume,
            "started_at": time,
            "size_gib": 100,
            "claim": claim,
        }
        for name, volume in (("web", tenant.web.volume), ("db", tenant.database.volume))
    }
    bak = {
        "number": 1,
        "files": [{"key": f"{prefix}/full-01.bak", "size_bytes": 10**9, "etag": f'"{uuid4().hex}"', "checksum": {}}],
        "name": f"{point_id}/full-01",
        "backup_set_uuid": str(uuid4()),
        "first_lsn": "34000000012300001",
        "last_lsn": "34000000045600001",
        "copy_only": False,
        "started_at": time,
        "finished_at": time + minute,
    }
    content = {
        "id": point_id,
        "tenant": tenant.id,
        "kind": "daily",
        "state": "verified",
        "attempt": 1,
        "owner": f"airflow/tenant_backup/{point_id}",
        "token": 1,  # of the tenant's first lease: a later one may change it
        "opened_at": time,
        "closed_at": time + 5 * minute,
        "time": time,
        "source": tenant,
        "parts": {**snapshots, "bak": bak},
        "verification": {"level": 2, "at": time + 4 * minute, "checks": ["RESTORE VERIFYONLY", "sizes and checksums"]},
    }
    return Manifest.model_validate(content)


def fill_vault(storage: LabStorage, points: Iterable[tuple[str, datetime]]) -> Vault:
    """A new vault with a manifest for each point's id and time; the environment leads to it afterwards."""
    prefix = f"{storage.bucket}/{uuid4().hex[:12]}"
    extra = {
        "region_name": REGION,
        "endpoint_url": storage.settings.storage_url,
        "config_kwargs": {"s3": {"addressing_style": "path"}},
        "verify": False,
    }
    login = {"login": storage.settings.access_key, "password": storage.settings.secret_key}
    os.environ |= {
        f"AIRFLOW_CONN_{CONNECTION.upper()}": json.dumps({"conn_type": "aws", **login, "extra": extra}),
        "PERENNIAL_VAULT": f"s3://{prefix}",
        "PERENNIAL_BACKUP_URL": f"s3://127.0.0.1/{prefix}",
        "PERENNIAL_AWS_CONN_ID": CONNECTION,
    }
    vault = Vault(Settings.from_environment())
    bodies = {
        vault.documents.prefix + vault.points.key("acme", point_id): json.dumps(
            manifest(point_id, time).model_dump(mode="json"), indent=1, sort_keys=True
        ).encode()
        for point_id, time in points
    }
    put_all(storage, storage.bucket, bodies)
    return vault


def put_all(storage: LabStorage, bucket: str, bodies: dict[str, bytes]) -> None:
    """Write many objects, some at a time."""
    client = storage.client(attempts=3, connections=AT_ONCE)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda item: client.put_object(Bucket=bucket, Key=item[0], Body=item[1]), bodies.items()))


async def read_points(vault: Vault) -> list[Manifest]:
    """All manifests of the tenant, as retention reads them."""
    async with closing_clients():
        versions, _ = await vault.points_and_problems("acme", await vault.point_ids("acme"))
    return [version.value for version in versions]
