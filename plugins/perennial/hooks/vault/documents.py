"""JSON documents in S3 that several writers may change: created once, replaced by compare and swap.

S3 answers 412 when a condition does not hold. A 412 can also be the echo of one's own write: the answer was lost and
the client sent the PUT again. Every write therefore carries a nonce, and a 412 is believed only after reading the
document.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from pydantic_core import to_json

from include.rules.errors import ConflictError, PartError
from perennial.hooks.aws.clients import aws_client
from perennial.hooks.aws.errors import AWS_ERRORS, error_code, http_status, translate_errors
from perennial.hooks.aws.listings import ListedObject, listed_objects
from perennial.hooks.aws.objects import ReadObject, read_object, store_time

ATTEMPTS = 5
"""How often a write is begun again that met another one under way (409, ConditionalRequestConflict)."""


@dataclass(frozen=True)
class Stored:
    """One document as it was read or written.

    Attributes:
        etag: What a replacement must match.
        written_at: When it was written, by the store's clock: times of two documents compare, whoever wrote them.
        seen_at: When it was read or written here, by the same clock.
    """

    content: dict[str, Any]
    etag: str
    written_at: datetime = field(compare=False)
    seen_at: datetime = field(compare=False)


class DocumentStore:
    """The JSON documents of one bucket, below one prefix.

    Args:
        bucket: Name of the bucket.
        prefix: Empty, or ending with a slash; every key is below it.
        conn_id: Airflow connection for S3.
    """

    def __init__(self, bucket: str, prefix: str, conn_id: str) -> None:
        self.bucket, self.prefix, self.conn_id = bucket, prefix, conn_id

    async def get(self, key: str) -> Stored | None:
        """Read a document; None when there is none."""
        s3 = await aws_client("s3", self.conn_id)
        with translate_errors("The vault could not be read", **self._where(key)):
            try:
                read = await read_object(s3, self.bucket, self.prefix + key)
                content = json.loads(read.body)
            except ClientError as error:
                if error_code(error) in ("NoSuchKey", "404"):
                    return None
                raise
            except ValueError as error:
                raise PartError(
                    f"The document {key} in the vault is no JSON: {error}.",
                    why="Somebody has edited or damaged it; it was left as it is.",
                    todo="Bring back an earlier version of it, or move it out of the vault.",
                ) from error
        if not isinstance(content, dict):
            raise PartError(f"The document {key} in the vault is no JSON object.", todo="Move it out of the vault.")
        content.pop("nonce", None)
        return Stored(content, read.etag, read.written_at, read.read_at)

    async def create(self, key: str, content: dict[str, Any]) -> Stored:
        """Write a document that must not exist yet.

        Raises:
            ConflictError: when it exists.
        """
        return await self._put(key, content, {"IfNoneMatch": "*"})

    async def replace(self, key: str, content: dict[str, Any], etag: str) -> Stored:
        """Write a document that must still be as it was when `etag` was read.

        Raises:
            ConflictError: when it was changed meanwhile.
        """
        return await self._put(key, content, {"IfMatch": etag})

    def place_of(self, key: str) -> str:
        """Where a document is, with its bucket: no two stores have it in common."""
        return f"{self.bucket}/{self.prefix}{key}"

    async def keys(self, prefix: str) -> AsyncIterator[str]:
        """Every key below `prefix`, without the store's own prefix."""
        async for item in self.listed(prefix):
            yield item.key

    async def listed(self, prefix: str) -> AsyncIterator[ListedObject]:
        """Every object below `prefix`, its key without the store's own prefix."""
        s3 = await aws_client("s3", self.conn_id)
        with translate_errors("The vault could not be listed", **self._where(prefix)):
            async for item in listed_objects(s3, self.bucket, self.prefix + prefix):
                yield item._replace(key=item.key.removeprefix(self.prefix))

    async def folders(self, prefix: str) -> list[str]:
        """Names of the folders right below `prefix`, sorted."""
        s3, whole = await aws_client("s3", self.conn_id), self.prefix + prefix
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=whole, Delimiter="/")
        with translate_errors("The vault could not be listed", **self._where(prefix)):
            prefixes = [item["Prefix"] async for page in pages for item in page.get("CommonPrefixes", ())]
        return sorted(name.removeprefix(whole).rstrip("/") for name in prefixes)

    async def _put(self, key: str, content: dict[str, Any], condition: dict[str, str]) -> Stored:
        nonce = secrets.token_hex(16)
        body = to_json({**content, "nonce": nonce}, indent=1)  # people read it too; json's own takes five times as long
        s3 = await aws_client("s3", self.conn_id)
        for attempt in range(ATTEMPTS):
            try:
                answer = await s3.put_object(
                    Bucket=self.bucket,
                    Key=self.prefix + key,
                    Body=body,
                    ContentType="application/json",
                    **condition,
                )
                now = store_time(answer)
                return Stored(content, answer["ETag"], now, now)
            except AWS_ERRORS as error:
                read = await self._written_by(nonce, key)
                if read:
                    return Stored(content, read.etag, read.written_at, read.read_at)
                refused = http_status(error) in (404, 412)
                # Everything else that passes has been tried for long enough already (`Retries`).
                if refused or attempt == ATTEMPTS - 1 or http_status(error) != 409:
                    self._raise(key, error, refused=refused)
            await asyncio.sleep(0.2 * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    async def _written_by(self, nonce: str, key: str) -> ReadObject | None:
        """The document if the write with this nonce is the one that stands, else None."""
        s3 = await aws_client("s3", self.conn_id)
        try:
            read = await read_object(s3, self.bucket, self.prefix + key)
            return read if json.loads(read.body).get("nonce") == nonce else None
        except (*AWS_ERRORS, ValueError, AttributeError):
            return None

    def _raise(self, key: str, error: Exception, *, refused: bool) -> None:
        if refused:
            raise ConflictError(
                f"The document {key} in the vault was changed by somebody else.",
                why="This change was not written, and what they wrote stands.",
                todo="Read it again and decide anew.",
            ) from error
        with translate_errors(
            "The vault could not be written",
            why="What the step did is not recorded yet.",
            todo="Check the bucket and its policy, then clear the failed run to begin a new attempt.",
            **self._where(key),
        ):
            raise error

    def _where(self, key: str) -> dict[str, str]:
        return {"bucket": self.bucket, "key": self.prefix + key}
