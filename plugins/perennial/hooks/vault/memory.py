"""What this process has last seen of leases, and of the documents that are changed under them.

A step begins where the one before it has ended, mostly in the same process. So it need not read what that has written:
it writes at once, on the condition that nobody else has written since (If-Match), and reads when the store refuses.

What is remembered allows nothing by itself. A lease is taken, renewed and given back by compare and swap; what it
forbids (the tenant is busy, the lease is lost) is believed only after reading it. A document is remembered beside its
tenant's lease and for as long as nobody else has changed that: whoever changes a document under the lease takes the
lease's next token first. Who comes without a lease (a hold, a restore that reads) changes the document's ETag, so that
the next write of a step meets a conflict, and reads.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from datetime import datetime
from itertools import count
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from include.rules.points.leases import Lease
from perennial.hooks.asynchronous import PerLoop

LEASES: Final = 4096
"""Of how many tenants the lease is remembered, the latest: about 1 KB each."""
DOCUMENTS: Final = 1024
"""How many documents are remembered, the latest: manifests and records of the runs under way, about 2 KB each."""

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

Value_co = TypeVar("Value_co", covariant=True)
Entry = TypeVar("Entry")


class Read(Protocol[Value_co]):
    """A document, the ETag under which it was read or written, and when, by the store's clock."""

    @property
    def value(self) -> Value_co: ...
    @property
    def etag(self) -> str: ...
    @property
    def seen_at(self) -> datetime: ...


def lease_key(tenant: str) -> str:
    """Where in the vault a tenant's lease is."""
    return f"leases/{tenant}.json"


def clock() -> float:
    """Seconds that have passed, those too for which this process was stopped or its machine asleep."""
    return time.clock_gettime(_CLOCK)


class _Latest(Generic[Entry]):
    """The entries that were last put in, by key; older ones go."""

    def __init__(self, most: int) -> None:
        self._most, self._entries = most, OrderedDict[str, Entry]()

    def get(self, key: str) -> Entry | None:
        return self._entries.get(key)

    def put(self, key: str, entry: Entry) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)

    def drop(self, key: str) -> None:
        self._entries.pop(key, None)


class KnownLease(NamedTuple):
    """A lease as it was last seen: as text, one object for collections of cyclic garbage to look at instead of five.

    Attributes:
        text: Its JSON; empty when there was none.
        etag: Empty when there was none.
        seen_at: By the store's clock; None when there was none.
        proven_at: When (`clock`) the request was sent whose answer says so.
        reign: Goes on for as long as this process alone has changed the lease.
    """

    text: str
    etag: str
    seen_at: datetime | None
    proven_at: float
    reign: int

    @classmethod
    def of(cls, version: Read[Lease] | None, proven_at: float, reign: int) -> KnownLease:
        """What is known of a lease that was read or written; None: there is none."""
        if version is None:
            return cls("", "", None, proven_at, reign)
        return cls(version.value.model_dump_json(), version.etag, version.seen_at, proven_at, reign)

    @property
    def value(self) -> Lease | None:
        return Lease.model_validate_json(self.text) if self.text else None


class Memory:
    """What one event loop remembers; keys are those of the store, with its bucket."""

    def __init__(self) -> None:
        self._leases = _Latest[KnownLease](LEASES)
        self._documents = _Latest[tuple[int, object]](DOCUMENTS)
        self._reigns = count()

    def lease(self, key: str) -> KnownLease | None:
        return self._leases.get(key)

    def lease_read(self, key: str, version: Read[Lease] | None, sent_at: float) -> None:
        """The store has answered a reading of a lease that was sent at `sent_at` (`clock`); None: there is none."""
        known = self._leases.get(key)
        if known and sent_at < known.proven_at:
            return  # an answer that was long on its way: what was written since is newer
        etag = version.etag if version else ""
        reign = known.reign if known and known.etag == etag else next(self._reigns)
        self._leases.put(key, KnownLease.of(version, sent_at, reign))

    def lease_written(self, key: str, over: str, version: Read[Lease], sent_at: float) -> None:
        """This process has written a lease.

        Args:
            over: ETag of what it was written over; empty when it was created.
        """
        known = self._leases.get(key)
        goes_on = known is not None and known.etag in (over, version.etag)
        if known and not goes_on and sent_at < known.proven_at:
            return
        reign = known.reign if known and goes_on else next(self._reigns)
        self._leases.put(key, KnownLease.of(version, sent_at, reign))

    def amend_lease(self, key: str, value: Lease) -> None:
        """Of a lease more is known than the store has been told; its next write says it."""
        known = self._leases.get(key)
        if known and known.text:
            self._leases.put(key, known._replace(text=value.model_dump_json()))

    def forget_lease(self, key: str) -> None:
        """The lease is not what was remembered, nor is any document beside it."""
        self._leases.drop(key)

    def document(self, key: str, lease_key: str) -> Any:
        """A document as it was kept; None when there is none, or somebody else has changed its tenant's lease since."""
        known, kept = self._leases.get(lease_key), self._documents.get(key)
        return kept[1] if known and kept and kept[0] == known.reign else None

    def keep_document(self, key: str, lease_key: str, version: object) -> None:
        """Remember a document beside its tenant's lease, where that is remembered."""
        known = self._leases.get(lease_key)
        if known:
            self._documents.put(key, (known.reign, version))

    def forget_document(self, key: str) -> None:
        self._documents.drop(key)


memories = PerLoop(Memory)
"""Two loops of a process are like two processes: neither knows what the other has seen."""
