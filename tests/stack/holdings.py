"""What the cloud and the vault of the running stack hold of a recovery point."""

from __future__ import annotations

import json
from typing import Any

import boto3

from lab.settings import REGION, VAULT_BUCKET, LabSettings
from tests.support.stack import RunningStack


def client(settings: LabSettings, service: str) -> Any:
    url = settings.storage_url if service == "s3" else settings.cloud_url
    keys = {"aws_access_key_id": settings.access_key, "aws_secret_access_key": settings.secret_key}
    return boto3.client(service, endpoint_url=url, region_name=REGION, **keys)


def manifest_of(stack: RunningStack, tenant: str, run_id: str) -> dict[str, Any]:
    """The manifest of the recovery point that a run has made."""
    found = [manifest for manifest in stack.manifests(tenant) if manifest["owner"].endswith(f"/{run_id}")]
    assert len(found) == 1
    return found[0]


def snapshots_of(stack: RunningStack, point: str) -> set[str]:
    """The snapshots on whose lists the recovery point is."""
    s3 = client(stack.settings, "s3")
    listing = s3.list_objects_v2(Bucket=VAULT_BUCKET, Prefix="shared-snapshots/")
    bodies = (s3.get_object(Bucket=VAULT_BUCKET, Key=item["Key"])["Body"] for item in listing.get("Contents", []))
    documents = [json.loads(body.read()) for body in bodies]
    return {one["snapshot_id"] for one in documents if any(user["point"] == point for user in one["users"])}


def files_of(stack: RunningStack, manifest: dict[str, Any]) -> set[str]:
    prefix = f"recovery-points/{manifest['tenant']}/{manifest['id']}/"
    listing = client(stack.settings, "s3").list_objects_v2(Bucket=VAULT_BUCKET, Prefix=prefix)
    return {item["Key"] for item in listing.get("Contents", [])}


def lease_of(stack: RunningStack, tenant: str) -> dict[str, Any]:
    """The tenant's lease; one that nobody holds where nobody has ever taken it."""
    s3 = client(stack.settings, "s3")
    try:
        body = s3.get_object(Bucket=VAULT_BUCKET, Key=f"leases/{tenant}.json")["Body"].read()
    except s3.exceptions.NoSuchKey:
        return {"owner": None}
    lease: dict[str, Any] = json.loads(body)
    return lease


def assert_one_of_each(stack: RunningStack, manifest: dict[str, Any]) -> None:
    """Verified, its parts are there, and it is on the lists of their snapshots and of no others."""
    assert manifest["state"] == "verified", manifest["failure"]
    parts = manifest["parts"]
    assert snapshots_of(stack, manifest["id"]) == {
        parts["web_snapshot"]["snapshot_id"],
        parts["db_snapshot"]["snapshot_id"],
    }
    folder = f"recovery-points/{manifest['tenant']}/{manifest['id']}/"
    assert files_of(stack, manifest) >= {*(file["key"] for file in parts["bak"]["files"]), f"{folder}manifest.json"}
    assert lease_of(stack, manifest["tenant"])["owner"] is None
