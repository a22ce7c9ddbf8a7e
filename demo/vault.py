"""The vault as anybody with its credentials finds it: manifests and backup files in S3."""

from __future__ import annotations

import json
from typing import Any

from lab.settings import VAULT_BUCKET, LabSettings
from lab.storage.readiness import s3_client


def manifests(settings: LabSettings) -> list[dict[str, Any]]:
    """Every recovery point's manifest, in the order of their ids."""
    s3 = s3_client(settings)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=VAULT_BUCKET, Prefix="recovery-points/")
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return [
        json.loads(s3.get_object(Bucket=VAULT_BUCKET, Key=key)["Body"].read())
        for key in sorted(keys)
        if key.endswith("/manifest.json")
    ]
