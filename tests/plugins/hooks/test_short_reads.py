"""Objects read by the short way: the same as by the client's own, which answers what the short way leaves open."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest

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
    s3 = _client("https://vault.s3.eu-central-1.amazonaws.com/object-name?X-Amz-Signature=0", content, headers)
    assert await ShortReads(s3, "vault").read("acme") == ((content, headers) if counts else None)
    (sent,) = s3._endpoint.http_session.send.call_args.args
    assert sent.url == "https://vault.s3.eu-central-1.amazonaws.com/acme"


@pytest.mark.parametrize(
    "presigned",
    [
        "https://somewhere.example/?key=object-name",
        "https://vault.example/object-name?X-Amz-Credential=AKIA%2F20261123%2Feu-central-1%2Fs3express%2Faws4_request",
    ],
)
async def test_a_bucket_that_is_reached_in_a_way_of_its_own_is_read_by_the_ordinary_way(presigned: str) -> None:
    s3 = _client(presigned, b"hello", {})
    assert await ShortReads(s3, "vault").read("acme") is None
    s3._endpoint.http_session.send.assert_not_called()


def _client(presigned: str, content: bytes, headers: dict[str, str]) -> Any:
    """A client whose connections answer everything with this content."""

    body: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    body.set_result(content)
    s3 = Mock()
    s3.generate_presigned_url = AsyncMock(return_value=presigned)
    s3._request_signer.get_auth_instance = AsyncMock(return_value=Mock())
    s3._endpoint.http_session.send = AsyncMock(return_value=Mock(status_code=200, headers=headers, content=body))
    return s3
