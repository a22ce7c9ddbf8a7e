"""Typed documents of the vault: a collection knows the model of its documents and where each one lies."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import attrgetter
from typing import Generic, TypeVar

from pydantic import ValidationError

from include.rules.errors import ConflictError, PartError
from include.rules.points.leases import Lease
from include.rules.points.manifest import Manifest
from include.rules.points.shared_snapshots import SharedSnapshot
from include.rules.register.register import explain
from include.rules.restore.record import RestoreRecord
from include.rules.retention.offboarding import Offboarding
from include.rules.retention.records import AppliedPolicy, ShownPlan
from perennial.hooks.vault.documents import DocumentStore, Stored
from perennial.hooks.vault.memory import lease_key, memories

Document = TypeVar("Document", Manifest, RestoreRecord, Lease, ShownPlan, Offboarding, AppliedPolicy, SharedSnapshot)

Kept = tuple[str, str, datetime, datetime]
"""A document that is kept for long: its JSON, and the rest of `Versioned`.

Each model is some thirty objects, one of a volume's shared snapshot some hundred and fifty, which every collection of
cyclic garbage would look at; text is none of them.
"""


@dataclass(frozen=True)
class Versioned(Generic[Document]):
    """A document of the vault as it was read or written; ETag and times as in `Stored`."""

    value: Document
    etag: str
    written_at: datetime = field(compare=False)
    seen_at: datetime = field(compare=False)

    @classmethod
    def of(cls, value: Document, stored: Stored) -> Versioned[Document]:
        """The document that this was read or written as."""
        return cls(value, stored.etag, stored.written_at, stored.seen_at)

    @classmethod
    def of_kept(cls, model: type[Document], kept: Kept) -> Versioned[Document]:
        """The document that was kept."""
        text, etag, written_at, seen_at = kept
        return cls(model.model_validate_json(text), etag, written_at, seen_at)

    def kept(self) -> Kept:
        """The document as it is kept for long."""
        return self.value.model_dump_json(), self.etag, self.written_at, self.seen_at


@dataclass(frozen=True)
class Collection(Generic[Document]):
    """The documents of one kind.

    Attributes:
        documents: Where they are stored.
        model: What they are.
        key: The key of the document that its owner's id and its own id name.
        name: What one of them is called in messages.
        owner: Whose a document is: the id of a tenant, or of a volume.
        is_id: True for what may be the id of one: people put other things beside documents.
    """

    documents: DocumentStore
    model: type[Document]
    key: Callable[[str, str], str]
    name: str
    owner: Callable[[Document], str] = attrgetter("tenant")
    is_id: Callable[[str], bool] = bool

    def id_of(self, tenant: str, key: str) -> str | None:
        """The id of the owner's document that lies at a key; None where none can: somebody has put something there."""
        before, _, after = self.key(tenant, "\0").partition("\0")
        document_id = key[len(before) : len(key) - len(after)]
        is_place = "/" not in document_id and key == self.key(tenant, document_id)
        return document_id if is_place and self.is_id(document_id) else None

    async def ids(self, tenant: str, beginning: str = "") -> list[str]:
        """Ids, in their order, of the owner's documents whose id starts with `beginning`."""
        before = self.key(tenant, "\0").partition("\0")[0]
        keys = self.documents.keys(before + beginning)
        return sorted([found async for key in keys if (found := self.id_of(tenant, key))])

    async def get(self, tenant: str, document_id: str) -> Versioned[Document] | None:
        """Read a document; None when there is none.

        Raises:
            PartError: when it is not one that this version understands.
        """
        key = self.key(tenant, document_id)
        stored = await self.documents.get(key)
        if stored is None:
            return None
        try:
            return Versioned.of(self.model.model_validate(stored.content), stored)
        except ValidationError as error:
            raise PartError(
                f"{key} in the vault is not a {self.model.__name__} that this version understands: {explain(error)}.",
                why="It may come from a newer version, or somebody has edited it; it was left as it is.",
                todo="Compare it with docs/vault.md.",
            ) from error

    async def get_in_place(self, tenant: str, document_id: str) -> Versioned[Document] | None:
        """Read a document that has to be the one that its place names; None when there is none.

        Raises:
            PartError: when it cannot be read, or is another one.
        """
        version = await self.get(tenant, document_id)
        if version:
            self.check_place(version.value, tenant, document_id)
        return version

    def check_place(self, document: Document, owner: str, document_id: str) -> None:
        """Raises PartError when a document that was found in one place says that its place is another one."""
        says = self.owner(document)
        if (says, document.id) != (owner, document_id):
            raise PartError(
                f"{self.key(owner, document_id)} in the vault says that it is {document.id} of {says}.",
                why="Somebody has copied or moved it; it was left as it is.",
                todo="Move it back, or out of the vault.",
            )

    async def require(self, tenant: str, document_id: str) -> Versioned[Document]:
        """Read a document that the first step of a run has written.

        Raises:
            PartError: when there is none.
        """
        version = await self.get(tenant, document_id)
        if version is None:
            raise PartError(
                f"The vault has no {self.name} {document_id} of tenant {tenant}.",
                why="Without it nothing that this step does could be found again, so it did nothing.",
                todo="Clear the task `open` of this run.",
            )
        return version

    def remembered(self, tenant: str, document_id: str) -> Versioned[Document] | None:
        """A document as this process has last seen it under the tenant's lease; None when somebody else has held the
        lease since, or may have. It counts as seen when the store last said that nobody has.

        Raises:
            RuntimeError: outside an event loop.
        """
        memory, lease_place = memories.get(), self.documents.place_of(lease_key(tenant))
        lease = memory.lease(lease_place)
        kept: Kept | None = memory.document(self.documents.place_of(self.key(tenant, document_id)), lease_place)
        if kept is None or lease is None or lease.seen_at is None:
            return None
        version = Versioned.of_kept(self.model, kept)
        return replace(version, seen_at=max(version.seen_at, lease.seen_at))

    def remember(self, version: Versioned[Document]) -> None:
        """Remember a document for whoever acts on the tenant next in this process."""
        place = self.documents.place_of(self._key_of(version.value))
        lease_place = self.documents.place_of(lease_key(self.owner(version.value)))
        memories.get().keep_document(place, lease_place, version.kept())

    async def create(self, value: Document) -> Versioned[Document]:
        """Write a document that must not exist yet.

        Raises:
            ConflictError: when it exists.
        """
        return Versioned.of(value, await self.documents.create(self._key_of(value), value.model_dump(mode="json")))

    async def put(self, value: Document) -> Versioned[Document]:
        """Write a document whatever stands there; of two writers the later one has the last word."""
        while True:
            stored = await self.documents.get(self._key_of(value))
            with suppress(ConflictError):
                return await (self.replace(value, stored.etag) if stored else self.create(value))

    async def replace(self, value: Document, etag: str) -> Versioned[Document]:
        """Write a document over the one that was read under `etag`.

        Raises:
            ConflictError: when it was changed meanwhile.
        """
        key = self._key_of(value)
        memories.get().forget_document(self.documents.place_of(key))  # it may be written although no answer comes
        stored = await self.documents.replace(key, value.model_dump(mode="json"), etag)
        return Versioned.of(value, stored)

    def _key_of(self, value: Document) -> str:
        return self.key(self.owner(value), value.id)
