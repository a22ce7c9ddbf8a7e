"""Listing the objects of S3: of each its key and its ETag."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from perennial.hooks.aws.short_reads import short_reads


class ListedObject(NamedTuple):
    """An object as a listing shows it.

    Attributes:
        etag: That of whoever reads the object now: S3's listings show every write that was answered before.
    """

    key: str
    etag: str


class Page(NamedTuple):
    """One answer of a listing.

    Attributes:
        token: What asks for the next one; empty when there is none.
    """

    objects: list[ListedObject]
    token: str


async def listed_objects(s3: Any, bucket: str, prefix: str) -> AsyncIterator[ListedObject]:
    """Every object whose key starts with `prefix`, in the order of the keys.

    Raises:
        botocore's errors as they come.
    """
    token = ""
    while True:
        answer = await short_reads(s3, bucket).list(prefix, token)
        page = (read_page(answer) if answer else None) or await _ordinary_page(s3, bucket, prefix, token)
        for item in page.objects:
            yield item
        if not page.token:
            return
        token = page.token


def read_page(answer: bytes) -> Page | None:
    """Read an answer to ListObjectsV2 with keys encoded as in URLs; None when it is not whole, or in another form.

    botocore reads each of its elements by the service's model: fifteen times as long, and all but two are not wanted.
    """
    try:
        root = ElementTree.fromstring(answer)  # noqa: S314 - written by the store, not by strangers
    except ElementTree.ParseError:
        return None
    space, _, name = root.tag.rpartition("}")
    space += "}" if space else ""
    truncated, encoding = root.findtext(f"{space}IsTruncated"), root.findtext(f"{space}EncodingType")
    token = root.findtext(f"{space}NextContinuationToken") or ""
    if name != "ListBucketResult" or encoding != "url" or truncated != ("true" if token else "false"):
        return None
    found = [(item.findtext(f"{space}Key"), item.findtext(f"{space}ETag")) for item in root.iter(f"{space}Contents")]
    objects = [ListedObject(unquote_plus(key), etag) for key, etag in found if key and etag]
    return Page(objects, token) if len(objects) == len(found) else None


async def _ordinary_page(s3: Any, bucket: str, prefix: str, token: str) -> Page:
    after = {"ContinuationToken": token} if token else {}
    answer = await s3.list_objects_v2(Bucket=bucket, Prefix=prefix, **after)
    objects = [ListedObject(item["Key"], item["ETag"]) for item in answer.get("Contents", ())]
    return Page(objects, answer.get("NextContinuationToken", ""))
