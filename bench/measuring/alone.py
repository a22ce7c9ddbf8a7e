"""One piece of work in a Python process of its own: what it took, and what it sent to AWS."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.http_calls import counting_calls
from bench.measuring.trees import pss_mb

LOOKS = 0.5
"""Seconds between two looks at the memory."""


@dataclass(frozen=True)
class Work:
    """What a piece of work took: seconds by the clock and of processors (user and system, without the imports), the
    largest memory of its process (PSS in MB, imports included), its requests by name, and what it says of itself.
    """

    wall: float
    cpu: float
    memory: float
    calls: Counter[str]
    result: dict[str, Any]


def measure_here(work: Callable[[], Awaitable[dict[str, Any]]]) -> None:
    """Run the work on an event loop of this process and print what it took, for `run_alone` to read."""
    import asyncio

    peak, ended = [0.0], threading.Event()

    def watch() -> None:
        while not ended.wait(LOOKS):
            peak[0] = max(peak[0], pss_mb(os.getpid()))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    with counting_calls() as calls:
        began, cpu = time.monotonic(), _cpu()
        result = asyncio.run(_awaited(work))
        taken, used = time.monotonic() - began, _cpu() - cpu
    ended.set()
    watcher.join()
    memory = max(peak[0], pss_mb(os.getpid()))
    print(json.dumps(vars(Work(taken, used, memory, calls, result))))


def run_alone(module: str, *arguments: str, environment: Mapping[str, str], seconds: float) -> Work:
    """Run `python -m MODULE ARGUMENTS`, which calls `measure_here`.

    Raises:
        RuntimeError: when it fails; with the end of what it wrote.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    taken = json.loads(done.stdout.splitlines()[-1])
    return Work(**{**taken, "calls": Counter(taken["calls"])})


async def _awaited(work: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    return await work()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
