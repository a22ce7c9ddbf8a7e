"""Brings what was committed into the data files, soon after: as SQL Server's own checkpoints do, in the background.

A snapshot of the volume is then good for an attach with the `.mdf` and the `.ldf` alone, which is all that a client can
know of: SQLite's write-ahead log beside them is the lab's own affair.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Condition, Thread

import apsw

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.05


class LazyWriter:
    """A thread that checkpoints databases after their commits, a whole burst of them at once.

    Args:
        checkpoint: Checkpoints the database of a name; returns False when somebody was in its way.
    """

    def __init__(self, checkpoint: Callable[[str], bool]) -> None:
        self._checkpoint = checkpoint
        self._dirty: set[str] = set()
        self._changed = Condition()
        Thread(target=self._run, name="lazy writer", daemon=True).start()

    def touch(self, name: str) -> None:
        """Something was committed in this database."""
        with self._changed:
            self._dirty.add(name)
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._dirty)
            time.sleep(PAUSE_SECONDS)
            with self._changed:
                names, self._dirty = self._dirty, set()
            for name in names:
                try:
                    done = self._checkpoint(name)
                except (apsw.Error, OSError) as error:  # no descriptors left, say: this thread must outlive that
                    log.warning("%s is checkpointed later: %s", name, error)
                    done = False
                if not done:
                    self.touch(name)
