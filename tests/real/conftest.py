"""Fixtures that are the lab's and, where PERENNIAL_TEST_ variables name them, Amazon's and Microsoft's own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
import pymssql
import pytest

BOTH = ["lab", pytest.param("real", marks=pytest.mark.real)]
AWS = ("PERENNIAL_TEST_AWS_ACCESS_KEY_ID", "PERENNIAL_TEST_AWS_SECRET_ACCESS_KEY", "PERENNIAL_TEST_AWS_REGION")
SQL = ("PERENNIAL_TEST_SQL_HOST", "PERENNIAL_TEST_SQL_LOGIN", "PERENNIAL_TEST_SQL_PASSWORD")


def given(*names: str) -> list[str]:
    """The values of the variables; the test is skipped where one is missing."""
    if missing := [name for name in names if not os.environ.get(name)]:
        pytest.skip(f"needs {', '.join(missing)}: see docs/lab.md")
    return [os.environ[name] for name in names]


def aws_extra() -> dict[str, Any]:
    """Further settings of the AWS connection, JSON: an endpoint or a role, for instance."""
    extra: dict[str, Any] = json.loads(os.environ.get("PERENNIAL_TEST_AWS_EXTRA", "{}"))
    return extra


@dataclass(frozen=True)
class Ec2:
    """EC2, and a volume there that may be snapshotted."""

    client: Any
    volume: str


@pytest.fixture(params=BOTH)
def ec2(request: pytest.FixtureRequest) -> Ec2:
    """The lab's EC2 and a real account's."""
    if request.param == "lab":
        cloud = request.getfixturevalue("lab_cloud")
        return Ec2(cloud.client("ec2"), cloud.make_volume())
    key, secret, region = given(*AWS)
    (volume,) = given("PERENNIAL_TEST_AWS_VOLUME")
    client = boto3.client(
        "ec2",
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=os.environ.get("PERENNIAL_TEST_AWS_SESSION_TOKEN"),
        endpoint_url=aws_extra().get("endpoint_url"),
    )
    return Ec2(client, volume)


@pytest.fixture(params=BOTH)
def connect(request: pytest.FixtureRequest) -> Callable[..., pymssql.Connection]:
    """Connects to the lab's SQL Server and to a real one, as an administrator."""
    if request.param == "lab":
        found: Callable[..., pymssql.Connection] = request.getfixturevalue("lab_sql_server").connect
        return found
    host, login, password = given(*SQL)
    port = os.environ.get("PERENNIAL_TEST_SQL_PORT", "1433")

    def connect_to_real(database: str = "master") -> pymssql.Connection:
        return pymssql.connect(
            server=host, port=port, user=login, password=password, database=database, autocommit=True, login_timeout=30
        )

    return connect_to_real
