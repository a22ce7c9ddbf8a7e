"""Deleting from a bucket that may keep versions: whatever is deleted is gone, in all its versions.

A plain DeleteObject in a bucket with versions only hides the object under a delete marker; its bytes stay, and cost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from perennial.hooks.aws.clients import aws_client
from perennial.hooks.aws.errors import error_code, translate_errors
from perennial.hooks.vault.documents import DocumentStore

UNLOCKED = frozenset(
    {"NoSuchObjectLockConfiguration", "NoSuchObjectLegalHold", "ObjectLockConfigurationNotFoundError"}
    | {"InvalidRequest", "NotImplemented", "NoSuchKey", "NoSuchVersion"}
)
"""Answers to a look at a lock that mean that there is none: on the object, in the bucket (S3 and SeaweedFS call the
question an InvalidRequest where the bucket has no Object Lock), in the store; or the object itself has gone.
"""
VERSIONS_PER_PAGE = 500
"""S3 shows up to 1,000, and botocore reads an answer in one callback of the event loop: those take it 25 ms of CPU."""


@dataclass(frozen=True)
class ObjectVersion:
    """One version of an object, or a delete marker; a bucket without versions calls its only one `null`.

    Attributes:
        key: Below the vault's prefix.
        latest: True for the version that a reader sees (or the marker that hides the object from it).
        marker: True for a delete marker: it has no bytes, and no lock holds it.
    """

    key: str
    version_id: str
    latest: bool
    marker: bool


async def versions_below(store: DocumentStore, prefix: str) -> list[ObjectVersion]:
    """Every version of every object whose key starts with `prefix`.

    The latest of each comes after all others: deleted in this order, and no further where one is refused, no earlier
    content ever shows again.
    """
    s3 = await aws_client("s3", store.conn_id)
    pages = s3.get_paginator("list_object_versions").paginate(
        Bucket=store.bucket, Prefix=store.prefix + prefix, PaginationConfig={"PageSize": VERSIONS_PER_PAGE}
    )
    with translate_errors("The versions of the vault's objects could not be listed", prefix=prefix):
        versions = [
            ObjectVersion(item["Key"].removeprefix(store.prefix), item["VersionId"], item["IsLatest"], marker)
            async for page in pages
            for name, marker in (("Versions", False), ("DeleteMarkers", True))
            for item in page.get(name, ())
        ]
    return sorted(versions, key=lambda version: (version.key, version.latest))


async def delete_version(store: DocumentStore, version: ObjectVersion) -> None:
    """Delete one version; deleting it twice is the same as once.

    Raises:
        UnavailableError: when the store refuses, for a lock for instance.
    """
    s3 = await aws_client("s3", store.conn_id)
    with translate_errors("An object could not be deleted from the vault", key=version.key, version=version.version_id):
        await s3.delete_object(Bucket=store.bucket, Key=store.prefix + version.key, VersionId=version.version_id)


async def lock_object(store: DocumentStore, key: str, until: datetime) -> None:
    """Let the store refuse to delete the latest version before `until` (Object Lock, governance mode).

    The same date again changes nothing; an earlier one is refused by the store.
    """
    s3 = await aws_client("s3", store.conn_id)
    todo = "Make the bucket with Object Lock, or set `locked_days` of the plan to 0; then clear the task `open`."
    with translate_errors("A backup file could not be locked", key=key, todo=todo):
        await s3.put_object_retention(
            Bucket=store.bucket,
            Key=store.prefix + key,
            Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until},
        )


@dataclass(frozen=True)
class ObjectLock:
    """What keeps the store from deleting a version.

    Attributes:
        until: When its retention ends; None where it has none that still holds.
        legal_hold: True when a legal hold is on it, which ends when somebody lifts it.
    """

    until: datetime | None
    legal_hold: bool


async def lock_on(store: DocumentStore, version: ObjectVersion) -> ObjectLock | None:
    """What keeps the store from deleting the version; None when nothing does.

    Raises:
        UnavailableError: when the store does not say: then nobody knows.
    """
    s3 = await aws_client("s3", store.conn_id)
    place = {"Bucket": store.bucket, "Key": store.prefix + version.key, "VersionId": version.version_id}
    retention, hold = await asyncio.gather(
        _unless_unlocked(version, s3.get_object_retention(**place)),
        _unless_unlocked(version, s3.get_object_legal_hold(**place)),
    )
    ends_at: datetime | None = retention.get("Retention", {}).get("RetainUntilDate")
    until = ends_at.astimezone(UTC) if ends_at and ends_at > datetime.now(UTC) else None
    lock = ObjectLock(until, hold.get("LegalHold", {}).get("Status") == "ON")
    return lock if lock.until or lock.legal_hold else None


async def _unless_unlocked(version: ObjectVersion, call: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """The store's answer; an empty one when it says that there is no such lock."""
    with translate_errors(
        "The locks of an object in the vault could not be looked at",
        why="Nobody knows whether one holds it.",
        key=version.key,
        version=version.version_id,
    ):
        try:
            return await call
        except ClientError as error:
            if error_code(error) in UNLOCKED:
                return {}
            raise
