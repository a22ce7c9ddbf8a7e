"""Signals that end a command: each does what Ctrl-C does, so that nothing which it has started stays behind."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interrupt_on_signals() -> Iterator[None]:
    """Make SIGTERM and a closed terminal do what Ctrl-C does: raise KeyboardInterrupt, so that all is stopped.

    Only the first signal does: the stopping that follows is not cut off.
    """

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        ignore_signals()
        raise KeyboardInterrupt

    before = {name: signal.signal(name, interrupt) for name in STOP_SIGNALS}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def ignore_signals() -> None:
    """From here on nothing cuts off the stopping, which is bounded itself."""
    for name in STOP_SIGNALS:
        signal.signal(name, signal.SIG_IGN)
