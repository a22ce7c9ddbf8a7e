"""Tells a person at a terminal, or the reader of a log file, what the demo is doing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console


class Narrator:
    """Chapters with a spinner on a terminal; elsewhere each new thing is a line of its own."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the narrator began."""
        return time.monotonic() - self._begun

    @contextmanager
    def chapter(self, title: str) -> Iterator[Callable[[str], None]]:
        """Announce a chapter; the value is called with what there is to say while it lasts."""
        begun = time.monotonic()
        self._line(title)
        with self._console.status(title) as status:
            latest = ""

            def say(text: str) -> None:
                nonlocal latest
                if text == latest:
                    return
                latest = text
                status.update(f"{title}: {text}" if self._console.is_terminal else title)
                if not self._console.is_terminal:
                    self._line(f"    {text}")

            yield say
            if latest and self._console.is_terminal:
                self._line(f"    {latest}")
        self._line(f"    done in {time.monotonic() - begun:.1f} s")

    def _line(self, text: str) -> None:
        self._console.print(f"{self.seconds:6.1f} s  {text}")
