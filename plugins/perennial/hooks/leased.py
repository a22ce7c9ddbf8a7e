"""A document of the vault in the hands of one step: changed only under the tenant's lease."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

from include.backups.errors import ConflictError, LeaseLostError, PartError
from include.backups.recovery_points import Manifest
from include.backups.restores import RestoreRecord
from perennial.hooks.tenant_lease import TenantLease
from perennial.hooks.vault import Vault, Versioned, point_prefix

Document = TypeVar("Document", Manifest, RestoreRecord)


class Leased(ABC, Generic[Document]):
    """One document that a step may change, as long as no later step has taken over.

    Attributes:
        lease: The step's right to do so.
        version: The document as this step last read or wrote it.
    """

    def __init__(self, lease: TenantLease, version: Versioned[Document]) -> None:
        self.lease = lease
        self.version: Versioned[Document] = version

    @property
    def vault(self) -> Vault:
        return self.lease.vault

    @abstractmethod
    async def _read(self) -> Versioned[Document] | None: ...

    @abstractmethod
    async def _write(self, wanted: Document) -> Versioned[Document]: ...

    async def change(self, change: Callable[[Document], Document]) -> Document:
        """Write a changed document, again on top of what a fenced-off attempt may have written at the last moment.

        Raises:
            LeaseLostError: when a later step has taken over.
        """
        while True:
            await self.lease.check()
            wanted: Document = change(self.version.value).model_copy(update={"token": self.lease.token})
            try:
                self.version = await self._write(wanted)
                return self.version.value
            except ConflictError:
                await self._read_again()

    async def _read_again(self) -> None:
        version, mine = await self._read(), self.version.value
        if version is None or version.value.token > self.lease.token:
            raise LeaseLostError(
                f"{mine.id} of tenant {mine.tenant} is in the hands of a later attempt.",
                why="This one stopped without changing it.",
                todo="Look at the run that owns it now.",
                owner=version.value.owner if version else "nobody",
            )
        self.version = version


class LeasedPoint(Leased[Manifest]):
    """A recovery point that a step may change."""

    @classmethod
    async def load(cls, lease: TenantLease, point_id: str) -> LeasedPoint:
        """Read the manifest that `open` has written.

        Raises:
            PartError: when there is none.
        """
        version = await lease.vault.manifest(lease.tenant, point_id)
        if version is None:
            raise _not_begun(lease.tenant, f"manifest of recovery point {point_id}")
        return cls(lease, version)

    @property
    def manifest(self) -> Manifest:
        return self.version.value

    @property
    def prefix(self) -> str:
        """Prefix of the recovery point's keys in the vault."""
        return point_prefix(self.manifest.tenant, self.manifest.id)

    async def _read(self) -> Versioned[Manifest] | None:
        return await self.vault.manifest(self.manifest.tenant, self.manifest.id)

    async def _write(self, wanted: Manifest) -> Versioned[Manifest]:
        return await self.vault.replace_manifest(wanted, self.version.etag)


class LeasedRestore(Leased[RestoreRecord]):
    """The record of a restore that a step may change."""

    @classmethod
    async def load(cls, lease: TenantLease, restore_id: str) -> LeasedRestore:
        """Read the record that `open` has written.

        Raises:
            PartError: when there is none.
        """
        version = await lease.vault.restore_record(lease.tenant, restore_id)
        if version is None:
            raise _not_begun(lease.tenant, f"record of restore {restore_id}")
        return cls(lease, version)

    @property
    def record(self) -> RestoreRecord:
        return self.version.value

    async def _read(self) -> Versioned[RestoreRecord] | None:
        return await self.vault.restore_record(self.record.tenant, self.record.id)

    async def _write(self, wanted: RestoreRecord) -> Versioned[RestoreRecord]:
        return await self.vault.replace_restore_record(wanted, self.version.etag)


def _not_begun(tenant: str, what: str) -> PartError:
    return PartError(
        f"The vault has no {what} of tenant {tenant}.",
        why="Without it nothing that this step does could be found again, so it did nothing.",
        todo="Clear the task `open` of this run.",
    )
