"""Running in the foreground: the logs of all processes in one stream, until somebody has had enough or one ends."""

from __future__ import annotations

import time
from itertools import cycle
from typing import BinaryIO, NoReturn

from rich.console import Console
from rich.text import Text

from lab.processes import Processes

COLOURS = ("cyan", "green", "magenta", "yellow", "blue", "red", "bright_cyan", "bright_green")
POLL_SECONDS = 0.2


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
