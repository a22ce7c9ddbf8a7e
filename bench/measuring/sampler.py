"""Memory of a stack's process trees while something runs: a thread that looks now and then and keeps the peaks."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from bench.measuring.trees import all_processes, cpu_seconds, pss_mb, tree_of

PAUSE_SECONDS = 5.0
"""Reading smaps_rollup walks all page tables of a process: more often it would show in what is measured."""


class MemoryPeaks:
    """A context within which the memory of the trees is looked at.

    Attributes:
        largest: By component, the largest PSS (MB) of any one process of its tree.
    """

    def __init__(self, leaders: Mapping[str, int], pause: float = PAUSE_SECONDS) -> None:
        self.largest: defaultdict[str, float] = defaultdict(float)
        self._leaders, self._pause = leaders, pause
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def look(self) -> None:
        """Look once."""
        processes = all_processes()
        for name, leader in self._leaders.items():
            sizes = [pss_mb(member.pid) for member in tree_of(leader, processes)]
            self.largest[name] = max(self.largest[name], *sizes, 0.0)

    def _watch(self) -> None:
        while not self._ended.wait(self._pause):
            self.look()
        self.look()


def cpu_by_component(leaders: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds that each component's tree has used since it started."""
    processes = all_processes()
    return {name: cpu_seconds(tree_of(leader, processes)) for name, leader in leaders.items()}
