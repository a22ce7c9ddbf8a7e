"""Deleting from a bucket that may keep versions: whatever is deleted is gone, in all its versions.

A plain DeleteObject in a bucket with versions only hides the object under a delete marker; its bytes stay, and cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from perennial.hooks.aws.clients import aws_client
from perennial.hooks.aws.errors import AWS_ERRORS, translate_errors
from perennial.hooks.vault.documents import DocumentStore


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

    The latest of each comes after all others: deleted in this order, no earlier content ever shows again.
    """
    s3 = await aws_client("s3", store.conn_id)
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=store.bucket, Prefix=store.prefix + prefix)
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


async def locked_until(store: DocumentStore, version: ObjectVersion) -> datetime | None:
    """Until when the store refuses to delete the version; None without a lock that still holds, or where the store does
    not say.
    """
    s3 = await aws_client("s3", store.conn_id)
    try:
        answer = await s3.get_object_retention(
            Bucket=store.bucket, Key=store.prefix + version.key, VersionId=version.version_id
        )
    except AWS_ERRORS:
        return None
    until: datetime = answer["Retention"]["RetainUntilDate"]
    return until.astimezone(UTC) if until > datetime.now(UTC) else None
