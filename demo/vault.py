"""The vault as anybody with its credentials finds it: manifests and backup files in S3."""

from __future__ import annotations

import json
from typing import Any

import boto3

from lab.settings import REGION, VAULT_BUCKET, LabSettings


def manifests(settings: LabSettings) -> list[dict[str, Any]]:
    """Every recovery point's manifest, in the order of their ids."""
    s3 = boto3.client(
        "s3",
        endpoint_url=settings.storage_url,
        region_name=REGION,
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=settings.secret_key,
    )
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=VAULT_BUCKET, Prefix="recovery-points/")
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return [
        json.loads(s3.get_object(Bucket=VAULT_BUCKET, Key=key)["Body"].read())
        for key in sorted(keys)
        if key.endswith("/manifest.json")
    ]
