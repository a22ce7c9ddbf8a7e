"""Progress of a BACKUP or RESTORE: the messages of STATS, percent_complete, and the pace of the speed knob."""

from __future__ import annotations

import os
import signal
import time

from lab.sqlserver.engine.context import Context

_NAP_SECONDS = 0.05
_SHARE_OF_DATA = 0.9  # of the time that the speed knob asks for


class Progress:
    """Counts `total` bytes; the whole takes at least `seconds`, evenly spread over the hundred per cent.

    A fault that was ordered for its midst is about `device`.
    """

    def __init__(self, context: Context, total: int, stats: int | None, seconds: float, device: str = "") -> None:
        self._context, self._total, self._stats, self._seconds = context, max(total, 1), stats, seconds
        self._crash_at = context.instance.control.crash_after_percent
        self._started = time.monotonic()
        self._done = 0
        self._percent, self._device = 0, device

    @property
    def elapsed(self) -> float:
        """Seconds since the start, never 0."""
        return max(time.monotonic() - self._started, 0.001)

    def advance(self, size: int) -> None:
        """`size` more bytes are done. Raises Interrupted when the statement must stop."""
        self._done += size
        reached = min(self._done * 100 // self._total, 100)
        while self._percent < reached:
            self._percent += 1
            self._wait_until(self._started + self._seconds * _SHARE_OF_DATA * self._percent / 100)
            if self._context.session.request:
                self._context.session.request.percent_complete = float(self._percent)
            if self._stats and self._percent % self._stats == 0:
                self._context.reply.info(3211, self._percent)
            self._strike()
            if self._percent == self._crash_at:
                instance = self._context.instance
                instance.control.without_crash().write(instance.state)
                os.kill(os.getpid(), signal.SIGKILL)
        self._context.reply.check()

    def _strike(self) -> None:
        """Raise the fault that was ordered for this place."""
        request = self._context.session.request
        if request and request.fault and request.fault.percent == self._percent:
            raise request.fault.error(self._device)

    def finish(self) -> None:
        """What follows the data, a backup's log part for one, takes the rest of the time."""
        self._wait_until(self._started + self._seconds)

    def _wait_until(self, due: float) -> None:
        while (seconds := due - time.monotonic()) > 0:
            self._context.reply.check()
            time.sleep(min(seconds, _NAP_SECONDS))
