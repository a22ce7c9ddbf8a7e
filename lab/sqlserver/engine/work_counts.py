"""How often clients signed in and what they had done, since the server's start: its performance counters."""

from __future__ import annotations

import threading
from collections import Counter

LOGINS, BATCHES, STATEMENT = "Logins/sec", "Batch Requests/sec", "Statements"
"""As the real server calls the first two, though what it shows is their number since its start.

The third is the lab's own.
"""


class WorkCounts:
    """Counts that many sessions add to at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def note(self, name: str, instance: str = "") -> None:
        """One more; `instance` is which one of several of that name."""
        with self._lock:
            self._counts[name, instance] += 1

    def all(self) -> dict[tuple[str, str], int]:
        """By name and instance."""
        with self._lock:
            return dict(self._counts)
