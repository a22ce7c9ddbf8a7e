"""Stopping that a second Ctrl-C does not cut off."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from lab.signals import STOP_SIGNALS


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let no signal end this process within the block, which is bounded itself; afterwards they mean what they did."""
    before = {name: signal.signal(name, signal.SIG_IGN) for name in STOP_SIGNALS}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
