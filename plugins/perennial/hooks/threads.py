"""Blocking calls beside the event loop, in threads that never keep a process alive.

Python waits at exit for the threads of its executors; a BACKUP DATABASE can take hours. A triggerer that is told to
stop must stop: SQL Server then aborts the statement, and the step's next attempt finds out what became of it.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


async def run(call: Callable[[], Result], *, label: str) -> Result:
    """Run a blocking call in a thread of its own and wait for its result.

    When the waiting is cancelled the call itself goes on to its end, unobserved: whoever cares must end it from outside
    (for a statement on SQL Server: KILL).

    Args:
        label: Name of the thread, for whoever looks at a stuck process.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Result] = loop.create_future()
    context = contextvars.copy_context()  # Airflow keeps the task's log in it

    def deliver(set_outcome: Callable[[], None]) -> None:
        def unless_cancelled() -> None:
            if not done.done():
                set_outcome()

        # The loop may be closed by the time a long call ends: then nobody is left to tell.
        if not loop.is_closed():
            loop.call_soon_threadsafe(unless_cancelled)

    def body() -> None:
        try:
            result = context.run(call)
        except BaseException as error:
            failure = error
            deliver(lambda: done.set_exception(failure))
        else:
            deliver(lambda: done.set_result(result))

    threading.Thread(target=body, name=label, daemon=True).start()
    return await done
