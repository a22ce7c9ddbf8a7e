"""State that belongs to one event loop: shared by all triggers of a triggerer, never by two loops of a process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

State = TypeVar("State")


class PerLoop(Generic[State]):
    """One value for each running event loop, made when it is first asked for and gone with the loop."""

    def __init__(self, make: Callable[[], State]) -> None:
        self._make = make
        self._of: WeakKeyDictionary[asyncio.AbstractEventLoop, State] = WeakKeyDictionary()

    def get(self) -> State:
        """The running loop's value."""
        loop = asyncio.get_running_loop()
        if loop not in self._of:
            self._of[loop] = self._make()
        return self._of[loop]

    def pop(self) -> State | None:
        """Forget the running loop's value and return it."""
        return self._of.pop(asyncio.get_running_loop(), None)
