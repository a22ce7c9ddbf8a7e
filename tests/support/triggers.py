"""Triggers without a triggerer: run to their end, or cut off in their midst as a dying triggerer does."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from functools import partial
from types import SimpleNamespace
from typing import Any

from lab.testing.deadlines import within
from perennial.steps.trigger import StepResult, StepTrigger


def trigger_of(
    cls: type[StepTrigger], run_id: str = "run-1", dag_id: str = "tenant_backup", **fields: Any
) -> StepTrigger:
    """A trigger as the triggerer hands it over: rendered, and knowing its run; no two steps of a run have one id."""
    trigger = cls(**{"deadline": within(60), **fields})
    step_id = getattr(cls, "step", f"{cls.__name__}{fields.get('role', '')}")
    trigger.task_instance = SimpleNamespace(task_id=step_id, dag_id=dag_id, run_id=run_id)  # type: ignore[assignment]
    return trigger


class CutOff:
    """Awaits a coroutine and cancels it at its n-th suspension, wherever that is, as asyncio itself would.

    Attributes:
        reached: False when the coroutine ended before it was suspended that often.
    """

    def __init__(self, work: Coroutine[Any, Any, StepResult], suspension: int) -> None:
        self._work, self._suspension, self.reached = work, suspension, False

    @classmethod
    async def run(cls, work: Coroutine[Any, Any, StepResult], suspension: int) -> bool:
        """Run the coroutine up to its n-th suspension; returns whether it came that far."""
        cut = cls(work, suspension)
        outcome = (await asyncio.gather(cut._awaited(), return_exceptions=True))[0]
        if isinstance(outcome, Exception):
            raise outcome
        return cut.reached

    async def _awaited(self) -> StepResult:
        return await self

    def __await__(self) -> Generator[Any, Any, StepResult]:
        steps, seen = self._work.__await__(), 0
        resume = partial(steps.send, None)
        while True:
            try:
                waits_for = resume()
            except StopIteration as ended:
                result: StepResult = ended.value
                return result
            seen += 1
            task = asyncio.current_task()
            if seen == self._suspension and task:
                self.reached = task.cancel()
            try:
                sent = yield waits_for
            except BaseException as error:
                resume = partial(steps.throw, error)
            else:
                resume = partial(steps.send, sent)
