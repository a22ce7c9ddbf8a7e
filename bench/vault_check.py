"""Whether every tenant of a fleet has its one verified recovery point in the vault, as the vault itself tells it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lab.settings import VAULT_BUCKET, LabSettings
from lab.storage.readiness import s3_client

READERS = 8
EXAMPLES = 5


def read_manifests(settings: LabSettings, prefix: str) -> list[dict[str, Any]]:
    """All manifests of the vault at that prefix of the lab's bucket."""
    s3 = s3_client(settings)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=VAULT_BUCKET, Prefix=f"{prefix}/recovery-points/")
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]

    def read(key: str) -> dict[str, Any]:
        manifest: dict[str, Any] = json.loads(s3.get_object(Bucket=VAULT_BUCKET, Key=key)["Body"].read())
        return manifest

    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(read, (key for key in keys if key.endswith("/manifest.json"))))


def find_problems(manifests: Iterable[dict[str, Any]], tenants: Collection[str]) -> list[str]:
    """What is wrong with a fleet's day, in sentences: tenants without a verified daily point, or with two of them."""
    daily = [manifest for manifest in manifests if manifest["kind"] == "daily"]
    verified = Counter(manifest["tenant"] for manifest in daily if _is_proven(manifest))
    begun = Counter(manifest["tenant"] for manifest in daily)
    again = [manifest["id"] for manifest in daily if manifest["attempt"] > 1]
    found = {
        "have no verified recovery point": [tenant for tenant in tenants if not verified[tenant]],
        "have more than one daily recovery point": [tenant for tenant, count in begun.items() if count > 1],
        "are not in the fleet": [tenant for tenant in begun if tenant not in set(tenants)],
        "needed a second attempt": again,
    }
    return [f"{len(which)} {what}: {examples(which)}" for what, which in found.items() if which]


def examples(names: Collection[str]) -> str:
    """A few of them, by name."""
    some = sorted(names)[:EXAMPLES]
    return ", ".join(some) + (", ..." if len(names) > len(some) else "")


def _is_proven(manifest: dict[str, Any]) -> bool:
    return manifest["state"] == "verified" and (manifest["verification"] or {}).get("level") == 2
