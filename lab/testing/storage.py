"""A lab S3 with boto3 clients and a power switch."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from lab.faults.control import FaultControl
from lab.settings import REGION, VAULT_BUCKET, LabSettings
from lab.storage.readiness import ensure_bucket, wait_until_ready
from lab.testing.clients import new_client
from lab.testing.server import LabServer


class LabStorage(LabServer):
    """A lab S3 under test, with the vault's bucket in it."""

    bucket = VAULT_BUCKET

    def __init__(self, settings: LabSettings) -> None:
        super().__init__("lab.storage", settings, wait_until_ready, {})
        self.faults = FaultControl.of(settings, "storage")

    def start(self) -> None:
        super().start()
        ensure_bucket(self.settings)

    def client(self, *, attempts: int = 1, connections: int = 30, **options: Any) -> Any:
        """A plain boto3 S3 client; `attempts` = 1 means that botocore does not retry, `options` are of boto3.client."""
        usual = {
            "endpoint_url": self.settings.storage_url,
            "region_name": REGION,
            "aws_access_key_id": self.settings.access_key,
            "aws_secret_access_key": self.settings.secret_key,
        }
        config = {"attempts": attempts, "max_pool_connections": connections}
        return new_client("s3", config=config, **(usual | options))

    def new_prefix(self) -> str:
        """A prefix of the bucket nobody else uses, ending in a slash."""
        return f"test-{uuid4().hex}/"
