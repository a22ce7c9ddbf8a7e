"""An AWS connection that cannot be used is the operator's to mend, and is shown so, whichever call needs it first."""

from __future__ import annotations

import asyncio
import gc
import json
import time
import weakref
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.exceptions import ClientError, ConnectTimeoutError
from botocore.model import OperationModel

from include.rules.errors import ConfigurationError, UnavailableError
from perennial.hooks.asynchronous import set_aside_what_is_there, setting_aside
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


@pytest.fixture
def begun_as_a_triggerer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What there is, is set aside, as `airflow_local_settings.py` has it."""
    monkeypatch.setattr(setting_aside, "has_begun", False)  # it is so again after the test
    gc.collect()
    setting_aside.begin()


class Knot:
    """In a cycle, as what Airflow makes for each step."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def usable(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {**KEYS, "extra": {"region_name": "eu-central-1"}}
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(connection))


@pytest.mark.usefixtures("begun_as_a_triggerer", "usable")
async def test_no_collection_of_a_triggerer_looks_at_a_client_and_all_that_is_made_later_is_collected() -> None:
    async with closing_clients():
        client = await aws_client("sts", CONNECTION)
        assert [one for one in gc.get_objects() if isinstance(one, OperationModel)] == []
        for _ in range(3):
            made_later = weakref.ref(Knot())
            assert await aws_client("sts", CONNECTION) is client  # which is no making
            gc.collect()
            assert made_later() is None


@pytest.mark.usefixtures("usable")
async def test_a_process_that_sets_nothing_aside_collects_clients_too() -> None:
    before = gc.get_freeze_count()
    async with closing_clients():
        await aws_client("sts", CONNECTION)
        assert gc.get_freeze_count() <= before


@pytest.mark.usefixtures("begun_as_a_triggerer")
def test_setting_aside_again_takes_no_time_however_much_is_set_aside() -> None:
    def cost(times: int) -> float:
        began = time.process_time()
        for _ in range(times):
            set_aside_what_is_there()
        return time.process_time() - began

    many = [[number] for number in range(300_000)]
    asked = time.process_time()
    gc.get_freeze_count()
    asked = time.process_time() - asked
    assert cost(100) < asked * 10, f"{len(many)} objects were looked at each time"
