"""Whether the lab's S3 answers, and the bucket that it begins with."""

from __future__ import annotations

import json
from http.client import HTTPConnection, HTTPException
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from lab.settings import HOST, REGION, VAULT_BUCKET, LabSettings
from lab.storage.weed import master_port
from lab.waiting import wait_until


def is_ready(settings: LabSettings) -> bool:
    """Whether the lab's S3 answers on its port and has found the volumes with the objects."""
    topology = _fetch(master_port(settings), "/dir/status")
    volumes_found = topology is not None and json.loads(topology)["Topology"]["Max"] > 0
    return volumes_found and _fetch(settings.storage_port, "/healthz") is not None


def wait_until_ready(settings: LabSettings, seconds: float) -> None:
    """Wait for the lab's S3 to answer.

    Raises:
        TimeoutError: it did not answer within `seconds`.
    """
    complaint = (
        f"The lab's S3 did not answer on {settings.storage_url} within {seconds:g} s, so there is no vault. "
        f"Look at its log, or run `python -m lab.storage` by hand to see why."
    )
    wait_until(lambda: is_ready(settings), seconds, complaint)


def s3_client(settings: LabSettings) -> Any:
    """A boto3 client of the lab's S3, with the lab's own keys."""
    return boto3.client(
        "s3",
        endpoint_url=settings.storage_url,
        region_name=REGION,
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=settings.secret_key,
        config=Config(s3={"addressing_style": "path"}),
    )


def ensure_bucket(settings: LabSettings, bucket: str = VAULT_BUCKET) -> None:
    """Make the vault's bucket, without versioning, unless it is there already."""
    try:
        s3_client(settings).create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("BucketAlreadyExists", "BucketAlreadyOwnedByYou"):
            raise


def _fetch(port: int, path: str) -> bytes | None:
    """The body of a page of one of weed's servers, None while there is none."""
    connection = HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.read() if answer.status == 200 else None
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
