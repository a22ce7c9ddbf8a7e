"""A document of the vault in the hands of one step: changed only under the tenant's lease."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ClassVar, Generic, Self, TypeVar

from include.rules.errors import ConflictError, LeaseLostError, OutrankedError
from include.rules.points.leases import CHANGE_WITHIN, EFFECT_WITHIN
from include.rules.points.manifest import Manifest
from include.rules.restore.record import RestoreRecord
from perennial.hooks.vault.backup_files import point_prefix
from perennial.hooks.vault.collection import Collection, Versioned
from perennial.hooks.vault.tenant_lease import TenantLease
from perennial.hooks.vault.vault import Vault

Document = TypeVar("Document", Manifest, RestoreRecord)


class FencedDocument(Generic[Document]):
    """One document that a step may change, as long as no later step has taken over.

    Attributes:
        lease: The step's right to do so.
        proven_within: How old the store's word on the lease may be before a change.
    """

    proven_within: ClassVar[timedelta] = CHANGE_WITHIN

    def __init__(self, lease: TenantLease, version: Versioned[Document]) -> None:
        self.lease = lease
        self._hold(version)

    @classmethod
    async def load(cls, lease: TenantLease, document_id: str) -> Self:
        """The document that `open` has written: as this process knows it where nobody else has acted on the tenant
        since, else it is read.

        Raises:
            PartError: when there is none.
        """
        collection = cls._collection(lease.vault)
        known = collection.remembered(lease.tenant, document_id)
        return cls(lease, known or await collection.require(lease.tenant, document_id))

    @staticmethod
    def _collection(vault: Vault) -> Collection[Document]:
        """Where in the vault documents of this kind are."""
        raise NotImplementedError

    @property
    def vault(self) -> Vault:
        return self.lease.vault

    @property
    def value(self) -> Document:
        """The document as this step last read or wrote it."""
        return self._version.value

    @property
    def written_at(self) -> datetime:
        """When the document was last written, by the store's clock, as this step knows it."""
        return self._version.written_at

    @property
    def seen_at(self) -> datetime:
        """When this step last read or wrote it, by the same clock."""
        return self._version.seen_at

    async def change(self, change: Callable[[Document], Document]) -> Document:
        """Write a changed document, again on top of what a fenced-off attempt may have written at the last moment.

        Raises:
            LeaseLostError: when a later step has taken over.
        """
        while True:
            await self.lease.check(self.proven_within)
            changed: Document = change(self._version.value).model_copy(update={"token": self.lease.token})
            try:
                self._hold(await self._collection(self.vault).replace(changed, self._version.etag))
                return changed
            except ConflictError:
                await self._read_again()

    async def _read_again(self) -> None:
        current = self._version.value
        version = await self._collection(self.vault).require(current.tenant, current.id)
        if version.value.token > self.lease.token:
            raise (OutrankedError if version.value.owner == self.lease.owner else LeaseLostError)(
                f"{current.id} of tenant {current.tenant} is in the hands of a later attempt.",
                why="This one stopped without changing it.",
                todo="Look at the run that owns it now.",
                owner=version.value.owner,
            )
        self._hold(version)

    def _hold(self, version: Versioned[Document]) -> None:
        """Keep what the step has last read or written, for itself and for the steps after it."""
        self._version: Versioned[Document] = version
        self._collection(self.vault).remember(version)


class LeasedPoint(FencedDocument[Manifest]):
    """A recovery point that a step may change."""

    @staticmethod
    def _collection(vault: Vault) -> Collection[Manifest]:
        return vault.points

    @property
    def manifest(self) -> Manifest:
        """The manifest as this step last read or wrote it."""
        return self.value

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
    """The record of a restore that a step may change.

    It says of an effect, before that begins, that it has: the look at the lease is that of the effect.
    """

    proven_within = EFFECT_WITHIN

    @staticmethod
    def _collection(vault: Vault) -> Collection[RestoreRecord]:
        return vault.restores

    @property
    def record(self) -> RestoreRecord:
        """The record as this step last read or wrote it."""
        return self.value
