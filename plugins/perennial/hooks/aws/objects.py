"""Reading an object of S3 whole: an answer that breaks off in its midst is no answer."""

from __future__ import annotations

from typing import Any

from aiohttp import ClientPayloadError
from botocore.exceptions import IncompleteReadError, ResponseStreamingError

from perennial.hooks import waits
from perennial.hooks.aws.errors import NO_ANSWER

LONGEST_PAUSE = 4.0
"""Seconds between two readings, at most."""


async def read_object(s3: Any, bucket: str, key: str) -> tuple[bytes, str]:
    """The content of an object, and its ETag.

    The client sends a call again that is not answered, and knows nothing of the body, which is read after the answer.

    Raises:
        botocore's errors as they come.
    """
    async for _ in waits.looks(waits.AWS_ANSWER, LONGEST_PAUSE):
        answer = await s3.get_object(Bucket=bucket, Key=key)
        try:
            async with answer["Body"] as body:
                return await body.read(), str(answer["ETag"])
        except (*NO_ANSWER, ClientPayloadError, IncompleteReadError) as error:
            broken_off = error
    raise ResponseStreamingError(error=broken_off)
