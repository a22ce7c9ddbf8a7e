"""An AWS connection that cannot be used is the operator's to mend, and is shown so, whichever call needs it first."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.exceptions import ClientError, ConnectTimeoutError

from include.rules.errors import ConfigurationError, UnavailableError
from perennial.hooks.aws.clients import aws_client, closing_clients
from perennial.hooks.aws.ebs import Ebs
from tests.support.waits import shorten

CONNECTION = "aws_of_this_test"
KEYS = {"conn_type": "aws", "login": "key", "password": "secret"}


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.mark.parametrize(
    ("connection", "cause"),
    [
        (KEYS, "NoRegionError"),
        ({"conn_type": "aws", "extra": {"region_name": "eu-central-1", "profile_name": "nobody"}}, "ProfileNotFound"),
        ({**KEYS, "extra": {"region_name": "eu-central-1", "endpoint_url": "nowhere"}}, "ValueError"),
    ],
)
async def test_a_connection_that_cannot_be_used_is_an_error_of_its_configuration(
    monkeypatch: pytest.MonkeyPatch, connection: dict[str, Any], cause: str
) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(connection))
    async with closing_clients():
        with pytest.raises(ConfigurationError, match=rf"connection {CONNECTION} .*{cause}.*`region_name`.*restart the"):
            await Ebs(CONNECTION, "s3://vault").snapshots_of_point("acme-daily-20261123")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ClientError({"Error": {"Code": "AccessDenied"}}, "AssumeRole"), ConfigurationError),
        (ConnectTimeoutError(endpoint_url="https://sts"), UnavailableError),
    ],
)
async def test_a_role_that_is_refused_is_an_error_of_the_configuration_and_silence_is_none(
    monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[Exception]
) -> None:
    asked = []

    async def refuse(_: Any) -> None:
        asked.append(error)
        raise error

    shorten(monkeypatch, "AWS_ANSWER", 0.1)
    monkeypatch.setattr(AwsBaseHook, "get_async_conn", refuse)
    async with closing_clients():
        with pytest.raises(kind, match=f"connection {CONNECTION} makes no client for AWS"):
            await aws_client("ec2", CONNECTION)
    assert len(asked) == (1 if kind is ConfigurationError else 2)


async def test_who_waits_for_a_role_that_aws_does_not_answer_for_waits_once_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    async def refuse(_: Any) -> None:
        asked.append(1)
        raise ConnectTimeoutError(endpoint_url="https://sts")

    shorten(monkeypatch, "AWS_ANSWER", 0.1)
    monkeypatch.setattr(AwsBaseHook, "get_async_conn", refuse)
    async with closing_clients():
        answers = await asyncio.gather(*(aws_client("ec2", CONNECTION) for _ in range(20)), return_exceptions=True)
        assert len(asked) == 2
        assert {type(answer) for answer in answers} == {UnavailableError}
        with pytest.raises(UnavailableError):
            await aws_client("ec2", CONNECTION)
    assert len(asked) == 4  # who comes afterwards asks anew
