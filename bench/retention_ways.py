"""`python -m bench.retention_ways WAY TENANTS`: one way to go through a stored fleet, measured in this process.

dry      retention of the fleet as it would be, by the product
act      the same, carried out
own      the same, of a fleet whose web volumes nobody shares
plain    every manifest read as a script would: the keys listed, 64 GetObject at a time, json.loads
listing  the keys listed, nothing read
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiobotocore.session
from aiobotocore.config import AioConfig

from bench.loop_watchdog import install_from_environment
from bench.measuring.alone import measure_here
from include.rules.register.register import Register
from include.rules.register.tenants import Tenant
from lab.settings import REGION, LabSettings
from perennial.airflow_settings import keep_collections_short
from perennial.hooks.aws.clients import aws_client, closing_clients
from perennial.hooks.vault.vault import Vault
from perennial.retention.fleet import Retention
from perennial.settings import Settings

AT_ONCE = 64


async def retention(tenants: str, *, dry_run: bool) -> dict[str, Any]:
    """The product's run of the fleet, its loop watched where the environment says so; what it reports, in numbers."""
    entries = [Tenant.model_validate_json(line) for line in tenants.splitlines()]
    register = Register(tenants={tenant.id: tenant for tenant in entries}, problems=())
    settings = Settings.from_environment()
    async with closing_clients():
        for service in ("s3", "ec2"):
            await aws_client(service, settings.aws_conn_id)
        keep_collections_short()  # a triggerer has clients, and has set aside what it has loaded
        install_from_environment()
        run = Retention(Vault(settings), register, "bench/retention/1", datetime.now(UTC))
        report = await run.run_for_fleet(dry_run=dry_run)
    numbers = {name: len(value) if isinstance(value, list) else value for name, value in report.to_json().items()}
    undone = report.not_done()
    return {**numbers, "tenants": len(report.tenants), "not_done": len(undone), "examples": undone[:3]}


async def plain(*, read: bool) -> dict[str, Any]:
    """What a script does that knows nothing of retention."""
    settings, lab = Settings.from_environment(), LabSettings.from_environment()
    options = {
        "region_name": REGION,
        "endpoint_url": lab.storage_url,
        "aws_access_key_id": lab.access_key,
        "aws_secret_access_key": lab.secret_key,
        "config": AioConfig(max_pool_connections=AT_ONCE, s3={"addressing_style": "path"}),
    }
    async with aiobotocore.session.get_session().create_client("s3", **options) as s3:
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=settings.vault_bucket, Prefix=f"{settings.vault_prefix}recovery-points/"
        )
        keys = [item["Key"] async for page in pages for item in page.get("Contents", ())]
        waiting, verified = iter([key for key in keys if read and key.endswith("/manifest.json")]), [0]

        async def go_through() -> None:
            for key in waiting:
                async with (await s3.get_object(Bucket=settings.vault_bucket, Key=key))["Body"] as body:
                    verified[0] += json.loads(await body.read())["state"] == "verified"

        await asyncio.gather(*(go_through() for _ in range(AT_ONCE)))
    return {"keys": len(keys), "verified": verified[0]}


def main() -> None:
    """Measure the way that the command line names."""
    way, tenants = sys.argv[1], Path(sys.argv[2]).read_text()
    ways: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
        "dry": lambda: retention(tenants, dry_run=True),
        "act": lambda: retention(tenants, dry_run=False),
        "own": lambda: retention(tenants, dry_run=False),
        "plain": lambda: plain(read=True),
        "listing": lambda: plain(read=False),
    }
    measure_here(ways[way])


if __name__ == "__main__":
    main()
