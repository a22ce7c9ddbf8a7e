"""Listing the objects of S3: of each its key, its ETag, and when it was written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from perennial.hooks.aws.short_reads import short_reads


class ListedObject(NamedTuple):
    """An object as a listing shows it.

    Attributes:
        etag: That of whoever reads the object now: S3's listings show every write that was answered before.
        written_at: When it was written, by the store's clock.
    """

    key: str
    etag: str
    written_at: datetime


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

    botocore reads each of its elements by the service's model: fifteen times as long, and all but three are not wanted.
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
    try:
        return Page([_read_item(item, space) for item in root.iter(f"{space}Contents")], token)
    except ValueError:
        return None


def _read_item(item: ElementTree.Element, space: str) -> ListedObject:
    """Raises ValueError when it is not whole."""
    key, etag = item.findtext(f"{space}Key"), item.findtext(f"{space}ETag")
    written_at = datetime.fromisoformat(item.findtext(f"{space}LastModified") or "")
    if not key or not etag or written_at.tzinfo is None:
        raise ValueError
    return ListedObject(unquote_plus(key), etag, written_at)


async def _ordinary_page(s3: Any, bucket: str, prefix: str, token: str) -> Page:
    after = {"ContinuationToken": token} if token else {}
    answer = await s3.list_objects_v2(Bucket=bucket, Prefix=prefix, **after)
    objects = [ListedObject(item["Key"], item["ETag"], item["LastModified"]) for item in answer.get("Contents", ())]
    return Page(objects, answer.get("NextContinuationToken", ""))
