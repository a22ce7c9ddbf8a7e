"""How long a single callback keeps an event loop, in CPU time of its thread: on a busy machine wall time says nothing.

In any process whose PYTHONPATH has the project's folder and `bench/watchdog_site`, for instance those of a stack:

    Stack(settings, watched(folder))

Each process then writes that it is watched into `folder`, and the callbacks that took longer than LONG, with where they
stood; `python -m bench.loop_watchdog FOLDER` shows the worst. What other threads do meanwhile does not count; a
collection of garbage is the callback's in which it falls, and is told apart.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

VARIABLE = "PERENNIAL_BENCH_LOOP_WATCHDOG"
PROJECT = Path(__file__).resolve().parents[1]
LONG = 0.02
"""Seconds from which a callback is written down."""
LONGEST_MS = 50
"""What a callback may take of its thread's CPU time at most; each one more is counted by `count_too_long`."""
SAMPLE = 0.005
INNERMOST = 6
"""Frames of the stack that are written down."""


@dataclass(frozen=True)
class LongCallback:
    """A callback that kept its loop: CPU seconds of its thread, those of collections in it, what it was, where it last
    stood.
    """

    process: str
    seconds: float
    collecting: float
    what: str
    where: str


def watched(folder: Path) -> dict[str, str]:
    """The environment of processes that are to be watched."""
    return {"PYTHONPATH": f"{PROJECT}{os.pathsep}{PROJECT / 'bench' / 'watchdog_site'}", VARIABLE: str(folder)}


def install_from_environment() -> None:
    """Watch the event loops of this process, and of those that are forked from it, if the environment says so."""
    if folder := os.environ.get(VARIABLE):
        Watchdog(Path(folder)).install()


class Watchdog:
    """Stands around each callback of the event loops of a process."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0
        self._pid = 0
        self._begun: tuple[int, int, float] | None = None  # number, thread, its CPU clock at the beginning
        self._where: tuple[int, str] = (0, "")
        self._collecting, self._collection_began = 0.0, 0.0

    def install(self) -> None:
        """Watch from now on."""
        run = asyncio.Handle._run

        def timed(handle: asyncio.Handle) -> Any:
            if self._pid != os.getpid():
                self._begin_process()
            self.count += 1
            self._collecting, began = 0.0, time.thread_time()
            self._begun = self.count, threading.get_ident(), began
            try:
                return run(handle)
            finally:
                self._begun = None
                seconds = time.thread_time() - began
                if seconds >= LONG:
                    self._write(seconds, handle)

        asyncio.Handle._run = timed  # type: ignore[assignment,method-assign]

    def _begin_process(self) -> None:
        self._pid, self.count = os.getpid(), 0
        self.folder.mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self._sample, daemon=True, name="loop watchdog").start()
        if self._collected not in gc.callbacks:  # a fork has it from the process before
            gc.callbacks.append(self._collected)
        self._append({"watched": sys.argv[1:2]})

    def _collected(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._collection_began = time.thread_time()
        elif (begun := self._begun) and begun[1] == threading.get_ident():
            self._collecting += time.thread_time() - self._collection_began

    def _sample(self) -> None:
        """Note where a callback stands that has taken half of LONG."""
        while True:
            time.sleep(SAMPLE)
            if begun := self._begun:
                number, thread, since = begun
                frame = sys._current_frames().get(thread)
                if frame and time.clock_gettime(time.pthread_getcpuclockid(thread)) - since > LONG / 2:
                    stack = traceback.extract_stack(frame)[-INNERMOST:]
                    self._where = number, " > ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in stack)

    def _write(self, seconds: float, handle: asyncio.Handle) -> None:
        callback: Any = handle._callback  # type: ignore[attr-defined]
        task = getattr(callback, "__self__", None)
        what = f"{task.get_name()} {task.get_coro()!r}" if isinstance(task, asyncio.Task) else repr(callback)
        where = self._where[1] if self._where[0] == self.count else ""
        process, collecting = " ".join(sys.argv[1:2]), round(self._collecting, 4)
        self._append(asdict(LongCallback(process, round(seconds, 4), collecting, what[:300], where)))

    def _append(self, entry: dict[str, Any]) -> None:
        with (self.folder / f"{os.getpid()}.jsonl").open("a") as file:
            file.write(json.dumps(entry) + "\n")


def long_callbacks(folder: Path) -> list[LongCallback]:
    """What the processes have written, the longest first."""
    lines = (json.loads(line) for file in folder.glob("*.jsonl") for line in file.read_text().splitlines())
    found = [LongCallback(**line) for line in lines if "seconds" in line]
    return sorted(found, key=lambda one: one.seconds, reverse=True)


def is_watched(folder: Path) -> bool:
    """Whether any process has said that it is watched; otherwise that there are no long callbacks means nothing."""
    return any(folder.glob("*.jsonl"))


def count_too_long(callbacks: Iterable[LongCallback] | None) -> int | None:
    """How many of them took more than LONGEST_MS; None where nobody watched."""
    return None if callbacks is None else sum(1000 * one.seconds > LONGEST_MS for one in callbacks)


def report(callbacks: Iterable[LongCallback], most: int = 25) -> str:
    """The longest as a table of Markdown."""
    rows = [
        f"| {one.seconds * 1000:.0f} | {one.collecting * 1000:.0f} | {one.process} | {one.what[:120]} | {one.where} |"
        for one in callbacks
    ]
    head = ["| ms of CPU | collecting | process | callback | where it stood |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *rows[:most]])


if __name__ == "__main__":
    print(report(long_callbacks(Path(sys.argv[1]))))
