"""Triggers without a triggerer: run to their end, or cut off in their midst as a dying triggerer does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from types import SimpleNamespace
from typing import Any

from lab.testing.deadlines import within
from perennial.steps.trigger import StepTrigger


def trigger_of(
    cls: type[StepTrigger], run_id: str = "run-1", dag_id: str = "tenant_backup", **fields: Any
) -> StepTrigger:
    """A trigger as the triggerer hands it over: rendered, and knowing its run; no two steps of a run have one id."""
    trigger = cls(**{"deadline": within(60), **fields})
    step_id = getattr(cls, "step", f"{cls.__name__}{fields.get('role', '')}")
    trigger.task_instance = SimpleNamespace(task_id=step_id, dag_id=dag_id, run_id=run_id)  # type: ignore[assignment]
    return trigger


class Watched:
    """Awaits a coroutine and tells of each of its suspensions and what it waits for, right before it is suspended."""

    def __init__(self, work: Coroutine[Any, Any, Any], suspended: Callable[[asyncio.Future[Any] | None], None]) -> None:
        self._work, self._suspended = work, suspended

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._work.__await__()
        resume = partial(steps.send, None)
        while True:
            try:
                waits_for = resume()
            except StopIteration as ended:
                return ended.value
            self._suspended(waits_for)
            try:
                sent = yield waits_for
            except BaseException as error:
                resume = partial(steps.throw, error)
            else:
                resume = partial(steps.send, sent)


class CutOff:
    """Awaits a coroutine and cancels it at its n-th suspension, wherever that is, as asyncio itself would.

    Attributes:
        reached: False when the coroutine ended before it was suspended that often.
        counting: False while suspensions do not count.
    """

    def __init__(self, work: Coroutine[Any, Any, Any], suspension: int) -> None:
        self._work, self._suspension, self._seen = work, suspension, 0
        self._task: asyncio.Task[Any] | None = None
        self.reached, self.counting = False, True

    @classmethod
    async def run(cls, work: Coroutine[Any, Any, Any], suspension: int) -> bool:
        """Run the coroutine up to its n-th suspension; returns whether it came that far."""
        cut = cls(work, suspension)
        await cut.up_to_there()
        return cut.reached

    async def up_to_there(self) -> None:
        """Run the coroutine up to its n-th suspension."""
        outcome = (await asyncio.gather(self._awaited(), return_exceptions=True))[0]
        if isinstance(outcome, Exception):
            raise outcome

    async def with_its_tasks(self) -> None:
        """Run the coroutine up to the n-th suspension of its own or of any task that it begins, which all end then."""
        loop, begun = asyncio.get_running_loop(), list[asyncio.Task[Any]]()

        async def watched(work: Coroutine[Any, Any, Any]) -> Any:
            return await Watched(work, self._suspended)

        def begin(loop: Any, work: Any, **options: Any) -> asyncio.Task[Any]:
            begun.append(asyncio.Task(watched(work), loop=loop, **options))
            begun[-1].add_done_callback(lambda _: work.close())  # of one that has ended before its first step
            return begun[-1]

        work: asyncio.Task[Any] = asyncio.create_task(self._awaited())
        before = loop.get_task_factory()
        loop.set_task_factory(begin)
        try:
            outcome = (await asyncio.gather(work, return_exceptions=True))[0]
        finally:
            loop.set_task_factory(before)
        if begun:
            await asyncio.wait(begun, timeout=within(30))
        if isinstance(outcome, Exception):
            raise outcome

    async def _awaited(self) -> Any:
        self._task = asyncio.current_task()
        return await Watched(self._work, self._suspended)

    def _suspended(self, _: asyncio.Future[Any] | None) -> None:
        self._seen += self.counting
        if self.counting and self._seen == self._suspension and self._task:
            self.reached = self._task.cancel()
