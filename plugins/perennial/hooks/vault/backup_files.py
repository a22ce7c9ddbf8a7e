"""The backup files of the vault, which SQL Server itself writes: found, described, named by URL."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from botocore.exceptions import ClientError

from include.rules.errors import PartError
from include.rules.points.backup_files import StoredFile
from perennial.hooks.aws.clients import aws_client
from perennial.hooks.aws.errors import http_status, translate_errors
from perennial.hooks.vault.documents import DocumentStore
from perennial.settings import Settings


def point_prefix(tenant: str, point_id: str) -> str:
    """Prefix of everything in the vault that belongs to one recovery point."""
    return f"recovery-points/{tenant}/{point_id}/"


class BackupFiles:
    """What lies beside the manifests.

    Args:
        settings: Says where the vault is and which connection reaches it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.documents = DocumentStore(settings.vault_bucket, settings.vault_prefix, settings.aws_conn_id)

    async def backup_file(self, key: str) -> StoredFile | None:
        """What the object store says about the backup file at `key`; None when there is none."""
        s3 = await aws_client("s3", self.settings.aws_conn_id)
        with translate_errors("The vault could not be asked for a backup file", key=key):
            try:
                head = await s3.head_object(
                    Bucket=self.documents.bucket, Key=self.documents.prefix + key, ChecksumMode="ENABLED"
                )
            except ClientError as error:
                if http_status(error) == 404:
                    return None
                raise
        checksum = {
            name: value for name, value in head.items() if name.startswith("Checksum") and name != "ChecksumType"
        }
        return StoredFile(key=key, size_bytes=head["ContentLength"], etag=head["ETag"], checksum=checksum)

    async def backup_files(self, keys: Iterable[str]) -> list[StoredFile | None]:
        """What the object store says about several backup files, in their order."""
        return list(await asyncio.gather(*(self.backup_file(key) for key in keys)))

    def backup_file_urls(self, keys: Iterable[str]) -> list[str]:
        """The URLs of several backup files; raises as `backup_file_url` does."""
        return [self.backup_file_url(key) for key in keys]

    def backup_file_url(self, key: str) -> str:
        """The backup file's URL as SQL Server writes it.

        Raises:
            PartError: when it is longer than the 259 characters that BACKUP TO URL takes
                (learn.microsoft.com, "SQL Server back up to URL for S3-compatible object storage").
        """
        url = f"{self.settings.backup_url}/{key}"
        if len(url) > 259:
            raise PartError(
                f"The address of the backup file has {len(url)} characters; SQL Server takes 259.",
                why="The database cannot be backed up to it.",
                todo="Shorten PERENNIAL_BACKUP_URL or the vault's prefix.",
                url=url,
            )
        return url
