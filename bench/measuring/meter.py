"""All that is measured from outside while something runs, as one context."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.measuring.calls import LabCalls, busiest_minute, busiest_waiting_minute
from bench.measuring.sampler import MemoryPeaks, cpu_by_component
from lab.settings import LabSettings

DESCRIBE = "ec2:DescribeSnapshots"


class Meter:
    """Measures what happens within its block; `figures` are there after it.

    Args:
        settings: The lab.
        cloud_log: The log of its cloud.
        trees: Leaders of the process trees whose CPU and memory are measured, by name.
        lab: Those of the lab's servers.
    """

    def __init__(
        self, settings: LabSettings, cloud_log: Path, trees: Mapping[str, int], lab: Mapping[str, int]
    ) -> None:
        self._trees, self._lab, self._asked = trees, lab, LabCalls(settings, cloud_log)
        self._memory = MemoryPeaks(trees)
        self.figures: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._before = cpu_by_component({**self._trees, **self._lab})
        self._memory.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._memory.__exit__(kind, error, trace)
        try:
            if error is None:
                self._take_figures()
        finally:
            self._asked.close()

    def _take_figures(self) -> None:
        after = cpu_by_component({**self._trees, **self._lab})
        spent = Counter(after)
        spent.subtract(self._before)
        minutes = self._asked.by_minute()
        self.figures = {
            "cpu": {name: spent[name] for name in self._trees},
            "lab_cpu": {name: spent[name] for name in self._lab},
            "memory": dict(self._memory.largest),
            "calls": self._asked.by_name(),
            "throttled": self._asked.throttled(),
            "describes": busiest_minute(minutes, DESCRIBE),
            "describes_waiting": busiest_waiting_minute(minutes, DESCRIBE),
        }
