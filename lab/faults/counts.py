"""How many calls a server has had, by action: what a benchmark asks for, and what a bill is made of."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

BY_SQL_SERVER = " by SQL Server"
"""Ends the name under which S3 requests that the lab's SQL Server makes are counted."""


class CallCounts:
    """Counts since the server's start, or since they were last cleared; they end with the server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: Counter[str] = Counter()
        self._throttled: Counter[str] = Counter()

    def note(self, action: str) -> None:
        """A call has come, whatever becomes of it."""
        with self._lock:
            self._calls[action] += 1

    def note_throttled(self, action: str) -> None:
        """A call was refused because its bucket was empty; it has been noted as a call, too."""
        with self._lock:
            self._throttled[action] += 1

    def report(self) -> dict[str, Any]:
        """By action (`ec2:CreateSnapshot`, `s3:PutObject`): all calls, and those of them that were throttled."""
        with self._lock:
            return {"calls": dict(sorted(self._calls.items())), "throttled": dict(sorted(self._throttled.items()))}

    def taken(self) -> dict[str, Any]:
        """The report, and counting begins anew: no call is lost between the two."""
        with self._lock:
            calls, self._calls = self._calls, Counter()
            throttled, self._throttled = self._throttled, Counter()
        return {"calls": dict(sorted(calls.items())), "throttled": dict(sorted(throttled.items()))}
