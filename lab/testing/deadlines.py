"""Deadlines in tests: they end a wait that would never end, and say nothing about how quick anything has to be.

How slow this machine is, with whatever else runs on it, is measured once per run; a run's workers inherit the answer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import cache

PACE = "PERENNIAL_TEST_PACE"
LEAST_SECONDS = 30.0
SLOWEST = 4.0
"""No machine counts as slower than that, so that a run which hangs ends some day."""
WORK = "sum(i * i for i in range(2_000_000))"
QUIET_SECONDS = 0.15
"""What two processes that do WORK at once take on a quiet machine with two cores."""


def within(seconds: float) -> float:
    """The deadline, in seconds of this machine, for what may take `seconds` on a quiet one with two cores."""
    return max(LEAST_SECONDS, seconds) * pace()


@cache
def pace() -> float:
    """How many times slower this machine is than a quiet one with two cores: from 1 to SLOWEST."""
    return min(SLOWEST, max(1.0, float(os.environ.get(PACE) or 1.0)))


def measure_pace() -> None:
    """Measure how slow this machine is, unless this run has done so already.

    Raises SystemExit, with one line for whoever reads it, where PACE is set to what is no number.
    """
    if PACE not in os.environ:
        os.environ[PACE] = f"{_seconds_of_work() / QUIET_SECONDS:.2f}"
    try:
        pace()
    except ValueError:
        raise SystemExit(
            f"{PACE} is {os.environ[PACE]!r}, but has to be a number such as 1.5: how many times slower this machine "
            "is than a quiet one with two cores. Unset, it is measured."
        ) from None


def _seconds_of_work() -> float:
    began = time.monotonic()
    running = [subprocess.Popen([sys.executable, "-I", "-S", "-c", WORK]) for _ in range(2)]
    for process in running:
        process.wait()
    return time.monotonic() - began
