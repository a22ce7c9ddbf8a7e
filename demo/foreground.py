"""Running in the foreground: the logs of all processes in one stream, until somebody has had enough or one ends."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from types import FrameType
from typing import BinaryIO, NoReturn

from rich.console import Console
from rich.text import Text

from lab.processes import Processes

COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "red", "bright_cyan", "bright_green")
POLL_SECONDS = 0.2
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def interrupt_on_signals() -> Iterator[None]:
    """Make SIGTERM and a closed terminal do what Ctrl-C does: raise KeyboardInterrupt, so that all is stopped."""

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


def follow(processes: Processes, names: tuple[str, ...], console: Console) -> NoReturn:
    """Print what the processes log from now on, until one of them ends: raises ProcessError, saying which.

    An interrupt passes through; stopping is the caller's work.
    """
    logs = {name: processes.log(name).open("rb") for name in names}
    try:
        for log in logs.values():
            log.seek(0, 2)
        while True:
            try:
                processes.check(names)
            finally:
                for (name, log), colour in zip(logs.items(), cycle(COLOURS), strict=False):
                    _print_new_lines(name, log, colour, console)
            time.sleep(POLL_SECONDS)
    finally:
        for log in logs.values():
            log.close()


def _print_new_lines(name: str, log: BinaryIO, colour: str, console: Console) -> None:
    for line in log:
        text = Text.from_ansi(line.decode(errors="replace").rstrip())
        console.print(Text.assemble((f"{name:<14}", colour), "| ", text), soft_wrap=True)
