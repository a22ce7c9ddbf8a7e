"""The vault: the only place where Perennial keeps what it must not lose (design, section 3).

recovery-points/<tenant>/<id>/manifest.json    one recovery point
recovery-points/<tenant>/<id>/full-01.bak      its backup, written by SQL Server itself
recovery-points/<tenant>/<id>/full-01-01.bak   the same in several files (stripes): -01, -02 and so on
restores/<tenant>/<id>.json                    the record of one restore
leases/<tenant>.json                           who may act on the tenant
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress

from include.backups.backup_files import StoredFile
from include.backups.errors import ConflictError, PartError, UnavailableError
from include.backups.leases import Lease
from include.backups.recovery_points import Manifest
from include.backups.restore_records import RestoreRecord
from perennial.hooks import aws
from perennial.hooks.collection import Collection, Document, Versioned
from perennial.hooks.documents import DocumentStore
from perennial.settings import Settings

log = logging.getLogger(__name__)

READS_AT_ONCE = 16
"""Documents that one step reads at the same time."""


def point_prefix(tenant: str, point_id: str) -> str:
    """Prefix of everything in the vault that belongs to one recovery point."""
    return f"recovery-points/{tenant}/{point_id}/"


class Vault:
    """Reads and writes the documents of the vault; all changes by compare and swap.

    Args:
        settings: Says where the vault is and which connection reaches it.

    Attributes:
        points: The manifests.
        restores: The records of restores.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.documents = DocumentStore(settings.vault_bucket, settings.vault_prefix, settings.aws_conn_id)
        self.points = Collection(
            self.documents, Manifest, lambda tenant, name: f"{point_prefix(tenant, name)}manifest.json", "manifest of"
        )
        self.restores = Collection(
            self.documents, RestoreRecord, lambda tenant, name: f"restores/{tenant}/{name}.json", "record of"
        )
        self._leases = Collection(self.documents, Lease, lambda tenant, _: f"leases/{tenant}.json", "lease")

    async def point_ids(self, tenant: str, beginning: str = "") -> list[str]:
        """Ids of the tenant's recovery points, oldest slot first within a kind."""
        prefix = f"recovery-points/{tenant}/"
        keys = self.documents.keys(prefix + beginning)
        return sorted([k.removeprefix(prefix).split("/")[0] async for k in keys if k.endswith("/manifest.json")])

    async def manifests(self, tenant: str, beginning: str = "") -> list[Manifest]:
        """The manifests of the tenant's recovery points whose id starts with `beginning`, but for unreadable ones."""
        return await self._readable(self.points, tenant, await self.point_ids(tenant, beginning))

    async def tenants(self) -> list[str]:
        """Ids of all tenants that have recovery points."""
        return await self.documents.folders("recovery-points/")

    async def latest_restores(self, tenant: str, count: int) -> list[RestoreRecord]:
        """The records of the tenant's last restores, oldest first, but for unreadable ones."""
        prefix = f"restores/{tenant}/"
        keys = self.documents.keys(prefix)
        names = sorted([key.removeprefix(prefix).removesuffix(".json") async for key in keys])
        return await self._readable(self.restores, tenant, names[-count:])

    async def change_point(self, tenant: str, point_id: str, change: Callable[[Manifest], Manifest]) -> Manifest:
        """Apply `change` to a manifest by compare and swap, without the tenant's lease, again when somebody else was
        faster.

        Only for what may stand beside everybody else's changes: who reads the point.

        Args:
            change: Gets the manifest as it stands and returns what it becomes, or raises.
        """
        while True:
            standing = await self.points.require(tenant, point_id)
            with suppress(ConflictError):
                return (await self.points.replace(change(standing.value), standing.etag)).value

    async def _readable(
        self, collection: Collection[Document], tenant: str, document_ids: Iterable[str]
    ) -> list[Document]:
        at_once = asyncio.Semaphore(READS_AT_ONCE)

        async def read(document_id: str) -> Document | None:
            async with at_once:
                try:
                    version = await collection.get(tenant, document_id)
                except PartError as error:
                    # One damaged document must not stand between a tenant and all its others.
                    log.warning("Left out: %s", error)
                    return None
            return version.value if version else None

        found = await asyncio.gather(*(read(document_id) for document_id in document_ids))
        return [document for document in found if document is not None]

    async def lease(self, tenant: str) -> Versioned[Lease] | None:
        """The tenant's lease as it stands; None when nobody has ever taken it."""
        return await self._leases.get(tenant, tenant)

    async def change_lease(self, tenant: str, change: Callable[[Lease | None], Lease]) -> Lease:
        """Apply `change` to the tenant's lease by compare and swap, again when somebody else was faster.

        Args:
            change: Gets the lease as it stands (None for a tenant's first) and returns what it becomes, or raises.
        """
        for _ in range(10):
            standing = await self.lease(tenant)
            wanted = change(standing.value if standing else None)
            try:
                if standing is None:
                    return (await self._leases.create(wanted)).value
                return (await self._leases.replace(wanted, standing.etag)).value
            except ConflictError:
                continue
        raise UnavailableError(
            f"The lease of tenant {tenant} changed ten times while this run tried to change it.",
            why="More runs than make sense are after this tenant; nothing was done.",
            todo="Look for runs of this tenant that start again and again.",
        )

    async def backup_file(self, key: str) -> StoredFile | None:
        """What the object store says about the backup file at `key`; None when there is none."""
        s3 = await aws.client("s3", self.settings.aws_conn_id)
        with aws.explained("The vault could not be asked for a backup file", key=key):
            try:
                head = await s3.head_object(
                    Bucket=self.documents.bucket, Key=self.documents.prefix + key, ChecksumMode="ENABLED"
                )
            except aws.ClientError as error:
                if aws.status(error) == 404:
                    return None
                raise
        checksum = {
            name: value for name, value in head.items() if name.startswith("Checksum") and name != "ChecksumType"
        }
        return StoredFile(key=key, size_bytes=head["ContentLength"], etag=head["ETag"], checksum=checksum)

    async def backup_files(self, keys: Iterable[str]) -> list[StoredFile | None]:
        """What the object store says about several backup files, in their order."""
        return list(await asyncio.gather(*(self.backup_file(key) for key in keys)))

    async def backup_file_keys(self, tenant: str, point_id: str) -> list[str]:
        """Keys of all backup files beside a manifest, those of earlier attempts too."""
        keys = self.documents.keys(point_prefix(tenant, point_id))
        return [key async for key in keys if not key.endswith("/manifest.json")]

    async def delete_backup_file(self, key: str) -> None:
        """Delete a backup file; deleting it twice is the same as once."""
        s3 = await aws.client("s3", self.settings.aws_conn_id)
        with aws.explained("A backup file could not be deleted from the vault", key=key):
            await s3.delete_object(Bucket=self.documents.bucket, Key=self.documents.prefix + key)

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
