"""Listings by the short way: the same objects as by the client's own, which answers what the short way leaves open."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from lab.testing.storage import LabStorage
from perennial.hooks.aws.clients import aws_client
from perennial.hooks.aws.listings import ListedObject, Page, listed_objects, read_page
from perennial.hooks.vault.vault import Vault
from tests.support.vaults import VaultUnderTest
from tests.unit.builders import verified

ODD = ["a b/ü+%&=~.json", "a+b/<x>&'\".json", "plain.json"]
WRITTEN_AT = datetime(2026, 11, 23, 10, 15, 2, tzinfo=UTC)
PAGE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>a+b/c=</NextContinuationToken>"
    "<Contents><Key>a%20b/c%2Bd+e</Key><LastModified>2026-11-23T10:15:02.000Z</LastModified><ETag>&quot;1&quot;</ETag>"
    "<Size>1</Size></Contents></ListBucketResult>"
)


async def list_both_ways(vault: Vault, prefix: str) -> tuple[list[ListedObject], list[str]]:
    """What is below the prefix, after a comparison with the client's own listing; and what the client was asked."""
    s3, asked = await aws_client("s3", vault.settings.aws_conn_id), list[str]()
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=vault.documents.bucket, Prefix=prefix)
    ordinary = [
        ListedObject(item["Key"], item["ETag"], item["LastModified"])
        async for page in pages
        for item in page.get("Contents", ())
    ]
    s3.meta.events.register("before-call.s3", lambda model, **_: asked.append(model.name))
    listed = [item async for item in listed_objects(s3, vault.documents.bucket, prefix)]
    assert listed == ordinary
    return listed, asked


@pytest.mark.lab
def test_the_short_way_lists_what_the_ordinary_way_lists(any_vault: VaultUnderTest) -> None:
    async def compare(vault: Vault) -> None:
        s3, place = await aws_client("s3", vault.settings.aws_conn_id), vault.documents
        assert await list_both_ways(vault, place.prefix) == ([], [])
        for name in ODD:
            await s3.put_object(Bucket=place.bucket, Key=place.prefix + name, Body=name.encode())
        listed, asked = await list_both_ways(vault, place.prefix)
        assert ([item.key for item in listed], asked) == ([place.prefix + name for name in ODD], [])
        assert len((await list_both_ways(vault, place.prefix + "a b/ü+"))[0]) == 1

    any_vault.run(compare)


@pytest.mark.lab
def test_all_pages_are_listed(weed_vault: VaultUnderTest, lab_storage: LabStorage) -> None:
    client, place = lab_storage.client(), weed_vault.vault.documents
    keys = [f"{place.prefix}pages/{number:04}" for number in range(1_001)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: client.put_object(Bucket=place.bucket, Key=key, Body=b""), keys))
    listed, asked = weed_vault.run(lambda vault: list_both_ways(vault, f"{place.prefix}pages/"))
    assert ([item.key for item in listed], asked) == (keys, [])


@pytest.mark.lab
@pytest.mark.parametrize("fault", [{"code": "SlowDown"}, {"code": "AccessDenied", "status": 403}])
def test_the_ordinary_way_lists_what_the_short_way_leaves_open(
    weed_vault: VaultUnderTest, lab_storage: LabStorage, fault: dict[str, Any]
) -> None:
    async def list_it(vault: Vault) -> None:
        s3, asked = await aws_client("s3", vault.settings.aws_conn_id), list[str]()
        await s3.put_object(Bucket=vault.documents.bucket, Key=f"{vault.documents.prefix}one", Body=b"1")
        s3.meta.events.register("before-call.s3", lambda model, **_: asked.append(model.name))
        lab_storage.faults.add("s3:ListObjectsV2", **fault)
        for looks in (1, 2):
            assert [key async for key in vault.documents.keys("")] == ["one"]
            assert asked == ["ListObjectsV2"] * looks

    weed_vault.run(list_it)


def test_keys_come_as_they_were_written_and_the_next_page_by_its_token() -> None:
    assert read_page(PAGE.encode()) == Page([ListedObject("a b/c+d e", '"1"', WRITTEN_AT)], "a+b/c=")


@pytest.mark.parametrize(
    "answer",
    [
        PAGE[:-20],
        PAGE.replace("<IsTruncated>true", "<IsTruncated>false"),
        PAGE.replace("<NextContinuationToken>a+b/c=</NextContinuationToken>", ""),
        PAGE.replace("<EncodingType>url</EncodingType>", ""),
        PAGE.replace("<ETag>&quot;1&quot;</ETag>", ""),
        PAGE.replace("2026-11-23T10:15:02.000Z", "yesterday"),
        PAGE.replace("02.000Z", "02"),
        PAGE.replace("ListBucketResult", "Error"),
        "",
    ],
    ids=[
        "cut off",
        "token and no more",
        "more and no token",
        "not encoded",
        "no etag",
        "no time",
        "no zone",
        "an error",
        "empty",
    ],
)
def test_a_page_that_is_not_whole_or_of_another_form_does_not_count(answer: str) -> None:
    assert read_page(answer.encode()) is None


def test_a_listing_shows_the_etag_under_which_a_document_is_read_and_no_two_writes_have_the_same(
    any_vault: VaultUnderTest,
) -> None:
    async def write(vault: Vault) -> None:
        etags = [(await vault.points.create(verified())).etag]
        for _ in range(2):  # the same content again
            etags.append((await vault.points.replace(verified(), etags[-1])).etag)
            version = await vault.points.require("acme", verified().id)
            listed = [item async for item in vault.documents.listed("recovery-points/acme/")]
            assert [item[:2] for item in listed] == [(vault.points.key("acme", verified().id), version.etag)]
            assert version.etag == etags[-1]
        assert len(set(etags)) == 3

    any_vault.run(write)
