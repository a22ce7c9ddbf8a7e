"""A document of the vault in the hands of one step: changed only under the tenant's lease."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from include.rules.errors import ConflictError, LeaseLostError
from include.rules.points.manifest import Manifest
from include.rules.restore.record import RestoreRecord
from perennial.hooks.vault.collection import Collection, Versioned
from perennial.hooks.vault.tenant_lease import TenantLease
from perennial.hooks.vault.vault import Vault, point_prefix

Document = TypeVar("Document", Manifest, RestoreRecord)


class FencedDocument(Generic[Document]):
    """One document that a step may change, as long as no later step has taken over.

    Attributes:
        lease: The step's right to do so.
    """

    def __init__(self, lease: TenantLease, collection: Collection[Document], version: Versioned[Document]) -> None:
        self.lease = lease
        self._collection: Collection[Document] = collection
        self._version: Versioned[Document] = version

    @property
    def vault(self) -> Vault:
        return self.lease.vault

    async def change(self, change: Callable[[Document], Document]) -> Document:
        """Write a changed document, again on top of what a fenced-off attempt may have written at the last moment.

        Raises:
            LeaseLostError: when a later step has taken over.
        """
        while True:
            await self.lease.check()
            wanted: Document = change(self._version.value).model_copy(update={"token": self.lease.token})
            try:
                self._version = await self._collection.replace(wanted, self._version.etag)
                return wanted
            except ConflictError:
                await self._read_again()

    async def _read_again(self) -> None:
        mine = self._version.value
        version = await self._collection.require(mine.tenant, mine.id)
        if version.value.token > self.lease.token:
            raise LeaseLostError(
                f"{mine.id} of tenant {mine.tenant} is in the hands of a later attempt.",
                why="This one stopped without changing it.",
                todo="Look at the run that owns it now.",
                owner=version.value.owner,
            )
        self._version = version


class LeasedPoint(FencedDocument[Manifest]):
    """A recovery point that a step may change."""

    @classmethod
    async def load(cls, lease: TenantLease, point_id: str) -> LeasedPoint:
        """Read the manifest that `open` has written.

        Raises:
            PartError: when there is none.
        """
        points = lease.vault.points
        return cls(lease, points, await points.require(lease.tenant, point_id))

    @property
    def manifest(self) -> Manifest:
        """The manifest as this step last read or wrote it."""
        return self._version.value

    async def read_again(self) -> Manifest:
        """The manifest as it stands now: holds and readers come without a lease.

        Raises:
            LeaseLostError: when a later step has taken over.
        """
        await self._read_again()
        return self.manifest

    @property
    def prefix(self) -> str:
        """Prefix of the recovery point's keys in the vault."""
        return point_prefix(self.manifest.tenant, self.manifest.id)


class LeasedRestore(FencedDocument[RestoreRecord]):
    """The record of a restore that a step may change."""

    @classmethod
    async def load(cls, lease: TenantLease, restore_id: str) -> LeasedRestore:
        """Read the record that `open` has written.

        Raises:
            PartError: when there is none.
        """
        restores = lease.vault.restores
        return cls(lease, restores, await restores.require(lease.tenant, restore_id))

    @property
    def record(self) -> RestoreRecord:
        """The record as this step last read or wrote it."""
        return self._version.value
