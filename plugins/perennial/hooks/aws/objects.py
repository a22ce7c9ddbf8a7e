"""Reading an object of S3 whole: an answer that breaks off in its midst is no answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from aiohttp import ClientPayloadError
from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError

from perennial.hooks import waits
from perennial.hooks.aws.errors import NO_ANSWER, http_status
from perennial.hooks.aws.short_reads import short_reads

LONGEST_PAUSE = 4.0
"""Seconds between two readings, at most."""

NOT_MODIFIED = 304
"""HTTP status by which S3 says that an object is still the one that is known."""


@dataclass(frozen=True)
class ReadObject:
    """An object as it was read.

    Attributes:
        written_at: When it was written, by the store's clock (whole seconds).
        read_at: When it was read, by the same clock.
    """

    body: bytes
    etag: str
    written_at: datetime
    read_at: datetime


def store_time(answer: Any) -> datetime:
    """When the store gave this answer, by its own clock (whole seconds): the header `Date` of every answer."""
    return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])


async def read_object(s3: Any, bucket: str, key: str, **condition: str) -> ReadObject:
    """The content of an object, its ETag, and the store's own times.

    `condition` is a parameter of GetObject such as IfNoneMatch.

    The client sends a call again that is not answered, and knows nothing of the body, which is read after the answer.

    Raises:
        botocore's errors as they come.
    """
    short = None if condition else await short_reads(s3, bucket).read(key)
    if short:
        content, headers = short
        written_at, read_at = (parsedate_to_datetime(headers[name]) for name in ("last-modified", "date"))
        return ReadObject(content, headers["etag"], written_at, read_at)
    async for _ in waits.looks(waits.AWS_ANSWER, LONGEST_PAUSE):
        answer = await s3.get_object(Bucket=bucket, Key=key, **condition)
        try:
            async with answer["Body"] as body:
                content = await body.read()
                return ReadObject(content, str(answer["ETag"]), answer["LastModified"], store_time(answer))
        except (*NO_ANSWER, ClientPayloadError, IncompleteReadError) as error:
            broken_off = error
    raise ResponseStreamingError(error=broken_off)


async def read_object_unless(s3: Any, bucket: str, key: str, etag: str) -> ReadObject | None:
    """The object; None when its ETag is `etag` still.

    Raises:
        botocore's errors as they come.
    """
    try:
        return await read_object(s3, bucket, key, **({"IfNoneMatch": etag} if etag else {}))
    except ClientError as error:
        if http_status(error) != NOT_MODIFIED:
            raise
        return None
