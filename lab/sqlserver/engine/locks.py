"""Application locks (sp_getapplock): named locks of a database, owned by sessions and gone with them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from threading import Condition

Resource = tuple[str, str]  # database, resource name

# Which modes may be held side by side by different sessions.
# https://learn.microsoft.com/sql/relational-databases/sql-server-transaction-locking-and-row-versioning-guide
_COMPATIBLE: dict[str, frozenset[str]] = {
    "IntentShared": frozenset({"IntentShared", "Shared", "Update", "IntentExclusive"}),
    "Shared": frozenset({"IntentShared", "Shared", "Update"}),
    "Update": frozenset({"IntentShared", "Shared"}),
    "IntentExclusive": frozenset({"IntentShared", "IntentExclusive"}),
    "Exclusive": frozenset(),
}
MODES = {mode.lower(): mode for mode in _COMPATIBLE}
_CHECK_SECONDS = 0.2  # how often a waiting session looks whether it should still wait

GRANTED, GRANTED_AFTER_WAITING, TIMED_OUT = 0, 1, -1


class ApplicationLocks:
    """Who holds which lock, how often and how strongly."""

    def __init__(self) -> None:
        self._held: dict[Resource, Counter[tuple[int, str]]] = {}
        self._changed = Condition()

    def acquire(self, session: int, resource: Resource, mode: str, timeout_ms: int, check: Callable[[], None]) -> int:
        """Take a lock for a session, waiting up to `timeout_ms` (-1: for ever) for others to let it go.

        `check` is called while waiting and raises when the session must not wait any longer. Returns GRANTED,
        GRANTED_AFTER_WAITING or TIMED_OUT, as sp_getapplock does.
        """
        deadline = None if timeout_ms < 0 else time.monotonic() + timeout_ms / 1000
        waited = False
        with self._changed:
            while not self._grantable(session, resource, mode):
                check()
                seconds = _CHECK_SECONDS if deadline is None else min(_CHECK_SECONDS, deadline - time.monotonic())
                if seconds <= 0:
                    return TIMED_OUT
                waited = True
                self._changed.wait(seconds)
            self._held.setdefault(resource, Counter())[session, mode] += 1
        return GRANTED_AFTER_WAITING if waited else GRANTED

    def release(self, session: int, resource: Resource) -> bool:
        """Undo one acquire of the session; False if it holds no such lock."""
        with self._changed:
            holders = self._held.get(resource, Counter())
            mine = [holder for holder in holders if holder[0] == session]
            if not mine:
                return False
            holders[mine[-1]] -= 1
            self._forget(resource, lambda holder: holders[holder] <= 0)
            return True

    def release_all(self, session: int) -> None:
        """The session has ended: all its locks are free."""
        with self._changed:
            for resource in list(self._held):
                self._forget(resource, lambda holder: holder[0] == session)

    def _grantable(self, session: int, resource: Resource, mode: str) -> bool:
        return all(holder == session or held in _COMPATIBLE[mode] for holder, held in self._held.get(resource, ()))

    def _forget(self, resource: Resource, unwanted: Callable[[tuple[int, str]], bool]) -> None:
        holders = self._held[resource]
        for holder in [holder for holder in holders if unwanted(holder)]:
            del holders[holder]
        if not holders:
            del self._held[resource]
        self._changed.notify_all()
