"""Vaults under test: a prefix of its own in each of the two object stores, and the settings that point there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest

from lab.settings import REGION
from lab.testing.cloud import LabCloud
from lab.testing.storage import LabStorage
from perennial.hooks.aws.clients import closing_clients
from perennial.hooks.vault.vault import Vault
from perennial.settings import Settings

Result = TypeVar("Result")

AWS_CONNECTION = "aws_perennial"


@dataclass(frozen=True)
class VaultUnderTest:
    """A vault below a prefix that no other test uses."""

    settings: Settings

    @property
    def vault(self) -> Vault:
        return Vault(self.settings)

    def run(self, work: Callable[[Vault], Awaitable[Result]]) -> Result:
        """Run a coroutine on an event loop of its own, with AWS clients that end with it."""

        async def working() -> Result:
            async with closing_clients():
                return await work(self.vault)

        return asyncio.run(working())


def set_vault(
    monkeypatch: pytest.MonkeyPatch, config: Path, *, bucket: str, s3: str, cloud: str, server: Any, name: str = ""
) -> None:
    """Point Perennial's settings and its AWS connection at a lab; `name` is that of the vault in its bucket."""
    extra = {
        "region_name": REGION,
        "endpoint_url": cloud,
        "service_config": {"s3": {"endpoint_url": s3}},
        "config_kwargs": {"s3": {"addressing_style": "path"}},
        "verify": False,  # the lab speaks plain HTTP, and authorities are read anew for each client
    }
    connection = {"conn_type": "aws", "login": server.access_key, "password": server.secret_key, "extra": extra}
    prefix = f"{bucket}/{name or uuid4().hex[:12]}"
    for name, value in {
        f"AIRFLOW_CONN_{AWS_CONNECTION.upper()}": json.dumps(connection),
        "PERENNIAL_VAULT": f"s3://{prefix}",
        "PERENNIAL_BACKUP_URL": f"s3://{s3.removeprefix('http://')}/{prefix}",
        "PERENNIAL_CONFIG": str(config),
        "PERENNIAL_AWS_CONN_ID": AWS_CONNECTION,
        "PERENNIAL_DEPLOYMENT": "test",
        "PERENNIAL_POLL_SECONDS": "0.2",
        "PERENNIAL_LEASE_WAIT_SECONDS": "2",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def vault_bucket(lab_storage: LabStorage) -> str:
    """The vault's bucket; tests that want one with versions and locks override it."""
    return lab_storage.bucket


@pytest.fixture
def versioned_bucket(lab_storage: LabStorage) -> str:
    """A bucket that keeps versions and knows Object Lock."""
    name = f"locked-{uuid4().hex[:12]}"
    lab_storage.client().create_bucket(
        Bucket=name, ObjectLockEnabledForBucket=True, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    return name


@pytest.fixture
def weed_vault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lab_storage: LabStorage) -> VaultUnderTest:
    """A vault in SeaweedFS."""
    url = lab_storage.settings.storage_url
    set_vault(monkeypatch, tmp_path, bucket=lab_storage.bucket, s3=url, cloud=url, server=lab_storage.settings)
    return VaultUnderTest(Settings.from_environment())


@pytest.fixture
def moto_vault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lab_cloud: LabCloud) -> VaultUnderTest:
    """A vault in a moto server, whose answers can be lost by a fault."""
    bucket, url = f"vault-{uuid4().hex[:12]}", lab_cloud.settings.cloud_url
    lab_cloud.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    set_vault(monkeypatch, tmp_path, bucket=bucket, s3=url, cloud=url, server=lab_cloud.settings)
    return VaultUnderTest(Settings.from_environment())


@pytest.fixture(params=["weed", "moto"])
def any_vault(request: pytest.FixtureRequest) -> VaultUnderTest:
    """A vault in each of the two stores."""
    vault: VaultUnderTest = request.getfixturevalue(f"{request.param}_vault")
    return vault
