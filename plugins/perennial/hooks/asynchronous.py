"""What coroutines of a triggerer share: values of one event loop, pauses between two looks, threads for what blocks."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

State = TypeVar("State")
Result = TypeVar("Result")
Item = TypeVar("Item")

Fence = Callable[[], Awaitable[None]]
"""Asked right before an effect on another machine; raises when whoever wants it may not act any more."""


class PerLoop(Generic[State]):
    """One value for each running event loop, made when it is first asked for and gone with the loop.

    All triggers of a triggerer share it, two loops of a process never do.
    """

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


class LoopLocks:
    """A lock for each key and running event loop: who wants the same thing at once waits for the other."""

    def __init__(self) -> None:
        self._by_key: PerLoop[defaultdict[str, asyncio.Lock]] = PerLoop(lambda: defaultdict(asyncio.Lock))

    def of(self, key: str) -> asyncio.Lock:
        """The running loop's lock for the key."""
        return self._by_key.get()[key]


async def in_order(
    items: Iterable[Item], work: Callable[[Item], Awaitable[Result]], *, at_once: int
) -> AsyncIterator[tuple[Item, Result]]:
    """Do the same for many items, `at_once` of them at a time, and yield each with its result, in the items' order."""
    ahead, rest = deque[tuple[Item, asyncio.Task[Result]]](), iter(items)

    async def do(item: Item) -> Result:
        return await work(item)

    try:
        while True:
            ahead.extend((item, asyncio.create_task(do(item))) for item in islice(rest, at_once - len(ahead)))
            if not ahead:
                return
            item, task = ahead[0]
            result = await task
            ahead.popleft()
            yield item, result
    finally:
        for _, task in ahead:
            task.cancel()


def poll_pauses(longest: float) -> Iterator[float]:
    """Seconds to wait before each next look at something that takes its time elsewhere: soon at first, then less often.

    An eighth of `longest` first, then twice as long each time up to it.
    """
    pause = longest / 8
    while True:
        yield pause
        pause = min(longest, 2 * pause)


async def run_in_thread(call: Callable[[], Result], *, label: str) -> Result:
    """Run a blocking call in a thread of its own, which never keeps the process alive, and wait for its result.

    Python waits at exit for the threads of its executors; a BACKUP DATABASE can take hours. A triggerer that is told to
    stop must stop: SQL Server then aborts the statement, and the step's next attempt finds out what became of it.

    When the waiting is cancelled the call itself goes on to its end, unobserved: whoever cares must end it from outside
    (for a statement on SQL Server: KILL).

    Args:
        label: Name of the thread, for whoever looks at a stuck process.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Result] = loop.create_future()
    context = contextvars.copy_context()  # Airflow keeps the task's log in it

    def deliver(set_outcome: Callable[[], None]) -> None:
        def unless_cancelled() -> None:
            if not outcome.done():
                set_outcome()

        # The loop may be closed by the time a long call ends: then nobody is left to tell.
        if not loop.is_closed():
            loop.call_soon_threadsafe(unless_cancelled)

    def body() -> None:
        try:
            result = context.run(call)
        except BaseException as error:
            failure = error
            deliver(lambda: outcome.set_exception(failure))
        else:
            deliver(lambda: outcome.set_result(result))

    threading.Thread(target=body, name=label, daemon=True).start()
    return await outcome


class _Collections:
    """Whether this process looks for cyclic garbage, and how many blocks do not want it to."""

    def __init__(self) -> None:
        self._lock, self._pauses, self._was_enabled = threading.Lock(), 0, False

    @contextmanager
    def paused(self) -> Iterator[None]:
        with self._lock:
            if self._pauses == 0:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._pauses += 1
        try:
            yield
        finally:
            with self._lock:
                self._pauses -= 1
                if self._pauses == 0 and self._was_enabled:
                    gc.enable()


no_garbage_collection = _Collections().paused
"""Lets no cyclic garbage be looked for during a block, in any thread of this process.

For a block that makes very many objects in a thread: each of the collections that they set off would look at all that
the process has, and stop the event loop meanwhile, for a quarter of a second. What is in no cycle goes as ever.
"""


class _SettingAside:
    """Whether this process lets no collection of cyclic garbage look at what it has by now.

    Attributes:
        has_begun: Remembered here: to ask Python (gc.get_freeze_count) takes as long as a look at all of it.
    """

    has_begun = False

    def begin(self) -> None:
        """Set aside what this process has by now, and what is said to be large later on."""
        gc.freeze()
        self.has_begun = True

    def go_on(self) -> None:
        """Let no later collection look at what this process has by now, where it has begun so
        (`airflow_local_settings.py`); elsewhere nothing happens.

        For after the making of something large that stays as long as the process does, of which there are a few in its
        life: what others hold at this moment is set aside as well, and cycles in that stay for ever. What is in no
        cycle goes as ever.
        """
        if self.has_begun:
            gc.freeze()

    def let_go_first(self) -> None:
        """As `go_on`, for what stays no longer than some run: what others have left in cycles by now is collected
        before, or each such run would keep some of it for ever.
        """
        if self.has_begun:
            gc.collect()
            gc.freeze()


setting_aside = _SettingAside()
set_aside_what_is_there = setting_aside.go_on
