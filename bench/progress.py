"""Whether a fleet's runs have come to their end, or will not: too late, or no change for too long."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping

from demo.airflow_api import TERMINAL

STALLED_SECONDS = 300.0
"""No run of a fleet takes so long that none of them begins or ends meanwhile."""


class FleetError(RuntimeError):
    """A fleet was not backed up within its time."""


class Progress:
    """How far the runs of a fleet are.

    Args:
        wanted: How many runs there have to be.
        seconds: How long they may take in all.
    """

    def __init__(self, wanted: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._wanted, self._seconds, self._clock = wanted, seconds, clock
        self._began = self._changed = clock()
        self._last: Mapping[str, int] = {}

    def is_done(self, states: Counter[str]) -> bool:
        """Whether as many runs as wanted have ended, and none goes on.

        Raises FleetError when they take too long, or have not changed for STALLED_SECONDS.
        """
        now, ended = self._clock(), sum(states[state] for state in TERMINAL)
        if ended >= self._wanted and ended == states.total():
            return True
        if states != self._last:
            self._last, self._changed = states, now
        for too_long, since in ((self._seconds, self._began), (STALLED_SECONDS, self._changed)):
            if now - since >= too_long:
                what = "not all of" if since == self._began else "nothing has changed, and not all of"
                raise FleetError(
                    f"After {now - since:.0f} s {what} {self._wanted} tenants are backed up: {told(states)}."
                )
        return False


def told(states: Counter[str]) -> str:
    """Counts by state in words: `12 queued, 64 running`."""
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "no run yet"
