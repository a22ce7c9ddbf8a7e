"""The three servers of a lab, and how Perennial finds them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.settings import HOST
from lab.testing.cloud import LabCloud
from lab.testing.sql_server import LabSqlServer
from lab.testing.storage import LabStorage
from perennial.hooks.sql_server import connections
from tests.support.vaults import set_vault


@dataclass(frozen=True)
class Servers:
    """The three servers of a lab, and the bucket for vaults."""

    cloud: LabCloud
    storage: LabStorage
    sql: LabSqlServer
    bucket: str


def set_world(monkeypatch: pytest.MonkeyPatch, config: Path, servers: Servers, vault: str = "") -> None:
    """Point Perennial at these servers, and at the vault of this name, a new one unless it is given."""
    s3, keys = servers.storage.settings.storage_url, servers.storage.settings
    cloud = servers.cloud.settings.cloud_url
    set_vault(monkeypatch, config, bucket=servers.bucket, s3=s3, cloud=cloud, server=keys, name=vault)
    sql = servers.sql.settings
    connection = {
        "conn_type": "mssql",
        "host": HOST,
        "port": sql.sql_server_port,
        "login": sql.sql_user,
        "password": sql.sql_password,
    }
    monkeypatch.setenv("AIRFLOW_CONN_SQL_SERVER_LAB", json.dumps(connection))
    monkeypatch.setattr(connections, "GOOD_FOR", 0)  # tests change the connection from one step to the next
    credential = f"s3://{s3.removeprefix('http://')}/{servers.bucket}"
    servers.sql.run(
        f"IF NOT EXISTS (SELECT 1 FROM sys.credentials WHERE name = N'{credential}') "
        f"CREATE CREDENTIAL [{credential}] WITH IDENTITY = N'S3 Access Key', "
        f"SECRET = N'{keys.access_key}:{keys.secret_key}'"
    )


@pytest.fixture
def servers(lab_cloud: LabCloud, lab_storage: LabStorage, lab_sql_server: LabSqlServer, vault_bucket: str) -> Servers:
    """Running servers without faults."""
    return Servers(lab_cloud, lab_storage, lab_sql_server, vault_bucket)
