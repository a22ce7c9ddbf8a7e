"""The leases of the vault: read, and changed by compare and swap, at once on top of what this process has last seen."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from include.rules.errors import ConflictError, LeaseBusyError, LeaseLostError, UnavailableError
from include.rules.points.leases import Lease
from perennial.hooks.vault.collection import Collection, Versioned
from perennial.hooks.vault.documents import DocumentStore
from perennial.hooks.vault.memory import Memory, clock, lease_key, memories
from perennial.settings import Settings

CHANGES = 10
"""How often a change begins anew because somebody else was faster."""


class Leases:
    """The leases of all tenants; a part of the vault."""

    settings: Settings
    documents: DocumentStore

    @property
    def memory(self) -> Memory:
        """What the running loop remembers."""
        return memories.get()

    def _place(self, tenant: str) -> str:
        """What the tenant's lease is remembered under."""
        return self.documents.place_of(lease_key(tenant))

    async def lease(self, tenant: str) -> Versioned[Lease] | None:
        """The tenant's lease as it stands; None when nobody has ever taken it."""
        sent_at = clock()
        version = await self._collection.get(tenant, tenant)
        self.memory.lease_read(self._place(tenant), version, sent_at)
        return version

    async def known_lease(self, tenant: str) -> Lease | None:
        """The tenant's lease as this process has last seen it; it is read where it has not."""
        known = self.memory.lease(self._place(tenant))
        if known:
            return known.value
        version = await self.lease(tenant)
        return version.value if version else None

    async def proven_lease(self, tenant: str, within: timedelta) -> Lease | None:
        """The tenant's lease as the store has shown it at most `within` ago; else it is read."""
        known = self.memory.lease(self._place(tenant))
        if known and known.value:
            age, now = timedelta(seconds=clock() - known.proven_at), datetime.now(UTC)
            if known.value.proves(age, within, now=now, ttl=self.settings.lease_ttl):
                return known.value
        version = await self.lease(tenant)
        return version.value if version else None

    async def change_lease(self, tenant: str, change: Callable[[Lease | None], Lease]) -> Lease:
        """Apply `change` to the tenant's lease by compare and swap, again when somebody else was faster.

        Args:
            change: Gets the lease as it stands (None for a tenant's first) and returns what it becomes, or raises.
        """
        for _ in range(CHANGES):
            current = await self.lease(tenant)
            changed = change(current.value if current else None)
            if current:
                changed = changed.dated(current.value, written_at=current.written_at, seen_at=current.seen_at)
            with suppress(ConflictError):
                return await self._write(changed, current.etag if current else "")
        raise UnavailableError(
            f"The lease of tenant {tenant} changed ten times while this run tried to change it.",
            why="More runs than make sense are after this tenant; nothing was done.",
            todo="Look for runs of this tenant that start again and again.",
        )

    async def change_known_lease(self, tenant: str, change: Callable[[Lease | None], Lease]) -> Lease | None:
        """Apply `change` to the lease as this process has last seen it, without reading.

        Returns:
            What it has become; None when it has not: it was never seen, is not so any more, `change` would not have it
            so, or it has to say when a restore had ended. Only reading tells which, and when.
        """
        known = self.memory.lease(self._place(tenant))
        if known is None:
            return None
        with suppress(ConflictError, LeaseBusyError, LeaseLostError):
            changed = change(known.value)
            return None if changed.is_undated else await self._write(changed, known.etag)
        return None

    def learn_of_lease(self, tenant: str, token: int, **facts: object) -> None:
        """Let the next write of the lease say more than is true of it now; a process that ends before has learnt
        nothing.

        Args:
            token: Of whoever has found it out: once somebody else holds the lease it is not written.
            facts: Fields of the lease.
        """
        known = self.memory.lease(self._place(tenant))
        if known and known.value and known.value.token == token:
            self.memory.amend_lease(self._place(tenant), known.value.model_copy(update=facts))

    async def _write(self, lease: Lease, over: str) -> Lease:
        key, sent_at = self._place(lease.tenant), clock()
        try:
            written = await (self._collection.replace(lease, over) if over else self._collection.create(lease))
        except ConflictError:
            self.memory.forget_lease(key)
            raise
        self.memory.lease_written(key, over, written, sent_at)
        return written.value

    @property
    def _collection(self) -> Collection[Lease]:
        return Collection(self.documents, Lease, lambda tenant, _: lease_key(tenant), "lease")
