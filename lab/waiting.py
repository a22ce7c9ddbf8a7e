"""Bounded waits for the lab's servers."""

from __future__ import annotations

import time
from collections.abc import Callable

STEP_SECONDS = 0.05


def wait_until(condition: Callable[[], bool], seconds: float, complaint: str) -> None:
    """Return as soon as `condition` holds; it is asked at least once.

    Raises:
        TimeoutError: with `complaint`, when it did not hold within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            raise TimeoutError(complaint)
        time.sleep(STEP_SECONDS)
