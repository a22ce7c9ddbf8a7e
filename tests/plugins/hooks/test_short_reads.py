"""Objects read by the short way: the same as by the client's own, which answers what the short way leaves open."""

from __future__ import annotations

import asyncio
import gc
import re
from typing import Any
from unittest.mock import AsyncMock, Mock
from weakref import ReferenceType, ref

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore import UNSIGNED
from botocore.exceptions import EndpointConnectionError

from lab.testing.storage import LabStorage
from perennial.hooks.aws.clients import aws_client
from perennial.hooks.aws.objects import ReadObject, read_object
from perennial.hooks.aws.short_reads import ShortReads
from perennial.hooks.vault.vault import Vault
from tests.support.vaults import VaultUnderTest
from tests.unit.builders import verified

pytestmark = pytest.mark.lab

KEYS = ["plain.json", "a b/ü+%&=~.json"]
WHOLE = {"x-amz-checksum-crc32": "NhCmhg=="}  # of b"hello"


async def counting(vault: Vault) -> tuple[Any, list[str]]:
    """The vault's client, and the names of what it is asked by its ordinary way from now on."""
    s3, asked = await aws_client("s3", vault.settings.aws_conn_id), list[str]()
    s3.meta.events.register("before-call.s3", lambda model, **_: asked.append(model.name))
    return s3, asked


@pytest.mark.parametrize("name", KEYS)
def test_the_short_way_reads_what_the_ordinary_way_reads(weed_vault: VaultUnderTest, name: str) -> None:
    async def read(vault: Vault) -> None:
        s3, asked = await counting(vault)
        bucket, key = vault.documents.bucket, vault.documents.prefix + name
        await s3.put_object(Bucket=bucket, Key=key, Body=b"hello")
        ordinary = await s3.get_object(Bucket=bucket, Key=key)
        asked.clear()
        short = await read_object(s3, bucket, key)
        assert asked == []
        assert short == ReadObject(b"hello", ordinary["ETag"], ordinary["LastModified"], short.read_at)
        assert abs((short.read_at - short.written_at).total_seconds()) < 120

    weed_vault.run(read)


def test_what_is_not_there_is_known_by_the_short_way(weed_vault: VaultUnderTest) -> None:
    async def read(vault: Vault) -> None:
        _, asked = await counting(vault)
        assert await vault.points.get("acme", "acme-daily-20261123") is None
        assert asked == []

    weed_vault.run(read)


@pytest.mark.parametrize(
    "fault",  # aiohttp itself sends a GET again whose kept connection was closed
    [
        {"code": "SlowDown"},
        {"code": "AccessDenied", "status": 403},
        {"drop": True, "times": 2},
        {"after": True, "drop": True, "times": 2},
    ],
)
def test_the_ordinary_way_answers_what_the_short_way_leaves_open_and_those_that_come_soon_after(
    weed_vault: VaultUnderTest, lab_storage: LabStorage, fault: dict[str, Any]
) -> None:
    async def read(vault: Vault) -> None:
        await vault.points.create(verified())
        _, asked = await counting(vault)
        lab_storage.faults.add("s3:GetObject", **fault)
        for reads in (1, 2):
            version = await vault.points.get("acme", verified().id)
            assert version
            assert version.value == verified()
            assert asked == ["GetObject"] * reads

    weed_vault.run(read)


@pytest.mark.parametrize(
    ("content", "headers", "counts"),
    [
        (b"hello", WHOLE, True),
        (b"jello", WHOLE, False),
        (b"jello", {**WHOLE, "x-amz-checksum-type": "COMPOSITE"}, True),  # of the parts' checksums: not the object's
        (b"jello", {}, True),
    ],
)
async def test_bytes_that_are_not_those_of_the_stored_checksum_do_not_count(
    content: bytes, headers: dict[str, str], counts: bool
) -> None:
    s3 = await _client(content, headers)
    assert await ShortReads(s3, "vault").read("acme") == ((content, headers) if counts else None)
    (sent,) = s3._endpoint.http_session.send.call_args.args
    assert sent.url == "https://vault.s3.eu-central-1.amazonaws.com/acme"


SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "path": {"s3": {"addressing_style": "path"}},
    "virtual": {"s3": {"addressing_style": "virtual"}},
    "dualstack": {"use_dualstack_endpoint": True},
    "FIPS": {"use_fips_endpoint": True},
    "s3v4": {"signature_version": "s3v4"},
    "legacy": {"s3": {"us_east_1_regional_endpoint": "legacy"}},
}
REGIONS = ["us-east-1", "eu-central-1", "ap-southeast-5", "us-gov-west-1"]


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("region", REGIONS)
async def test_the_short_way_leads_where_the_ordinary_way_leads(region: str, setting: str) -> None:
    for bucket in ("vault", "with.dots"):
        await _assert_same_way(bucket, region_name=region, config=AioConfig(**SETTINGS[setting]))


@pytest.mark.parametrize("style", ["path", "virtual", "auto"])
@pytest.mark.parametrize("url", ["http://localhost:9000", "https://store.example/s3/", "http://127.0.0.1:1"])
async def test_the_short_way_leads_to_the_endpoint_that_the_connection_names(url: str, style: str) -> None:
    config = AioConfig(s3={"addressing_style": style})
    await _assert_same_way("vault", region_name="eu-central-1", endpoint_url=url, config=config)


@pytest.mark.parametrize(
    ("bucket", "settings"),
    [
        ("vault--euc1-az1--x-s3", {}),
        ("arn:aws:s3:eu-central-1:123456789012:accesspoint/vault", {"signature_version": "v4a"}),
        ("vault", {"signature_version": UNSIGNED}),
        ("vault", {"signature_version": "s3"}),
    ],
    ids=["directory bucket", "several Regions", "nobody signs", "an old signature"],
)
async def test_a_bucket_that_is_reached_in_a_way_of_its_own_is_read_by_the_ordinary_way(
    bucket: str, settings: dict[str, Any]
) -> None:
    s3 = await _client(b"hello", {}, config=AioConfig(**settings))
    assert await ShortReads(s3, bucket).read("acme") is None
    s3._endpoint.http_session.send.assert_not_called()


def test_the_short_way_keeps_no_client_that_was_closed(weed_vault: VaultUnderTest) -> None:
    async def read(vault: Vault) -> ReferenceType[Any]:
        await vault.points.get("acme", "acme-daily-20261123")
        return ref(await aws_client("s3", vault.settings.aws_conn_id))

    client = weed_vault.run(read)
    gc.collect()
    assert client() is None


async def _assert_same_way(bucket: str, **settings: Any) -> None:
    """Host, path and what is signed for are the same by both ways."""
    s3 = await _client(b"", {}, **settings)
    s3._endpoint.http_session.send.side_effect = EndpointConnectionError(endpoint_url="nowhere")
    assert await ShortReads(s3, bucket).read("acme/one") is None
    with pytest.raises(EndpointConnectionError):
        await s3.get_object(Bucket=bucket, Key="acme/one")
    short, ordinary = [call.args[0] for call in s3._endpoint.http_session.send.call_args_list]
    assert short.url == ordinary.url
    assert _scope(short) == _scope(ordinary)


def _scope(request: Any) -> str:
    """Region and service for which a request is signed."""
    authorization = request.headers["Authorization"]
    text = authorization.decode() if isinstance(authorization, bytes) else authorization
    credential = re.search(r"Credential=[^/]+/\d+/([^,]+)", text)
    assert credential
    return credential.group(1)


async def _client(content: bytes, headers: dict[str, str], **settings: Any) -> Any:
    """A client whose connections answer everything with this content, and send nothing."""
    body: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    body.set_result(content)
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "secret"}
    config = settings.pop("config", AioConfig()).merge(AioConfig(retries={"total_max_attempts": 1}))
    session, chosen = get_session(), {"region_name": "eu-central-1", **keys, **settings}
    async with session.create_client("s3", config=config, **chosen) as s3:
        answer = Mock(status_code=200, headers=headers, content=body)
        s3._endpoint.http_session.send = AsyncMock(return_value=answer)
        return s3
