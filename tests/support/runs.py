"""Whole runs of a DAG on the lab: its steps in the DAG's own order, one of them broken in its midst, and on to the end.

What Airflow does with its own tables is done here as its scheduler and its triggerer do it: which tasks run after a
failure, what stays of a task that has failed, and what the SDK answers a trigger that asks for it. The steps, and all
that they talk to, are real; tests/stack has the real Airflow.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.sdk.execution_time.xcom import XCom
from airflow.triggers.base import TaskSuccessEvent, TriggerEvent

from include.rules.errors import UnavailableError
from perennial.steps.operator import StepOperator
from perennial.steps.trigger import StepTrigger
from tests.support.triggers import Watched, trigger_of

DAGS = Path(__file__).parents[2] / "dags"
CAUSE = "The test has pulled the plug on tenant acme."

Place = int | Callable[[], bool]
"""Where a step breaks: once it was suspended that often, or once something has become true; in both cases at the next
suspension in which it waits for something."""


class Way(StrEnum):
    """How a step may fail."""

    KILL = "kill"
    DEADLINE = "deadline"
    ERROR = "error"
    BUG = "bug"
    TIMEOUT = "a timeout that is not the step's"


SAYS = {
    Way.ERROR: CAUSE,
    Way.BUG: f"ZeroDivisionError: {CAUSE} (an error in Perennial itself",
    Way.TIMEOUT: f"TimeoutError: {CAUSE}",
    Way.DEADLINE: "The step did not end within",
    Way.KILL: "was ended from outside before it could say why",
}
"""What has to be read of it at the end."""

ERRORS = {Way.ERROR: UnavailableError(CAUSE), Way.BUG: ZeroDivisionError(CAUSE), Way.TIMEOUT: TimeoutError(CAUSE)}


class Break:
    """Awaits what a step does, and at one of its suspensions lets something go wrong there.

    Args:
        at: Which one; None for none of them.
        error: What the step's own code fails with there: what it was waiting for is given up, and everything around it
            sees the error. None to leave it to `go_wrong`.

    Attributes:
        suspensions: How often it has been suspended so far.
    """

    def __init__(self, at: Place | None, error: Exception | None, go_wrong: Callable[[], object]) -> None:
        self._at, self._error, self._go_wrong, self.suspensions = at, error, go_wrong, 0
        self._given_up = False

    async def awaited(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await Watched(work, self._strike)
        except asyncio.CancelledError:
            if self._given_up and self._error:
                raise self._error from None
            raise

    def _strike(self, waits_for: asyncio.Future[Any] | None) -> None:
        """Count a suspension; let it go wrong at its place."""
        self.suspensions += 1
        if waits_for is None or not self._is_reached():
            return
        self._at = None  # it goes wrong once
        if self._error is None:
            self._go_wrong()
        else:
            waits_for.cancel()
            self._given_up = True

    def _is_reached(self) -> bool:
        if self._at is None:
            return False
        return self._at() if callable(self._at) else self.suspensions >= self._at


@dataclass
class Run:
    """One run of a DAG.

    Attributes:
        fields: The fields of its steps that templates render.
        states, xcoms: What Airflow's tables hold of its tasks.
        suspensions: How often each step was suspended the last time.
    """

    dag_id: str
    run_id: str
    runner: asyncio.Runner
    fields: dict[str, str]
    states: dict[str, str] = field(default_factory=dict)
    xcoms: dict[str, dict[str, Any]] = field(default_factory=dict)
    suspensions: dict[str, int] = field(default_factory=dict)

    def carry_on(
        self, *, first: str = "", last: str = "", broken: str = "", way: Way = Way.ERROR, at: Place = 1
    ) -> dict[str, str]:
        """Run all steps, or those from `first` (as after its clearing) to `last`; the state of each.

        Args:
            broken: The step that fails, at the place `at`.
        """
        steps = steps_of(self.dag_id)
        names = [step.task_id for step in steps]
        cleared = names[names.index(first) if first else 0 : names.index(last) + 1 if last else None]
        self.states = {name: state for name, state in self.states.items() if name not in cleared}
        with (
            patch.multiple(RuntimeTaskInstance, get_task_states=self._answer_states),
            patch.multiple(XCom, get_one=self._answer_xcom),
        ):
            for step in steps:
                if step.task_id not in cleared:
                    continue
                if self._may_run(step):
                    self._run(step, way if step.task_id == broken else None, at)
                else:
                    self.states[step.task_id] = "upstream_failed"
        return self.states

    def failure(self, task_id: str) -> str:
        """What the UI shows of a task that has failed."""
        return str(self.xcoms[task_id].get("failure", ""))

    def middle(self, task_id: str) -> int:
        """The suspension of a step in the midst of its work, when it was last carried out."""
        return max(1, self.suspensions[task_id] // 2)

    def _may_run(self, step: StepOperator) -> bool:
        """A step runs when none before it has failed; a teardown whenever what it takes down was set up."""
        if step.is_teardown:
            return all(self.states[task.task_id] == "success" for task in step.upstream_list if task.is_setup)
        return all(state == "success" for state in self.states.values())

    def _run(self, step: StepOperator, way: Way | None, at: Place) -> None:
        values = {name: value for name, value in step.trigger_arguments().items() if "{{" not in str(value)}
        values.pop("deadline")
        trigger = trigger_of(step.load_trigger(), self.run_id, self.dag_id, **{**self.fields_of(step), **values})
        trigger.task_instance.task_id = step.task_id  # type: ignore[union-attr]
        event = self.runner.run(self._event(trigger, way, at))
        self.states[step.task_id] = "success" if isinstance(event, TaskSuccessEvent) else "failed"
        self.xcoms[step.task_id] = dict(event.xcoms or {}) if event else {}  # type: ignore[attr-defined]

    def fields_of(self, step: StepOperator) -> dict[str, str]:
        """Those of the run's fields that the step has."""
        return {name: value for name, value in self.fields.items() if name in step.template_fields}

    async def _event(self, trigger: StepTrigger, way: Way | None, at: Place) -> TriggerEvent | None:
        """What the trigger ends its task with; None when it was cancelled, as by a person who marks the task failed."""
        limits, new_limit, task = list[asyncio.Timeout](), asyncio.timeout, asyncio.current_task()
        killed = list[bool]()

        def limited(delay: float | None) -> asyncio.Timeout:
            limits.append(new_limit(delay))
            return limits[-1]

        def end_from_outside() -> None:
            if way is Way.DEADLINE:
                limits[0].reschedule(asyncio.get_running_loop().time())
            elif task:
                killed.append(task.cancel())

        plan = Break(at if way else None, ERRORS.get(way) if way else None, end_from_outside)
        # Where a step acts under the lease, it is broken within that.
        method = next(name for name in ("act_on", "act", "work") if hasattr(trigger, name))
        do = getattr(trigger, method)
        with (
            patch.object(trigger, method, lambda *arguments: plan.awaited(do(*arguments))),
            patch.object(asyncio, "timeout", limited),
        ):
            try:
                (event,) = [event async for event in trigger.run()]
            except asyncio.CancelledError:
                if not killed or task is None:
                    raise
                task.uncancel()
                await trigger.on_kill()
                event = None
        self.suspensions[str(trigger.task_instance.task_id)] = plan.suspensions  # type: ignore[union-attr]
        return event

    def _answer_states(self, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str]]:
        assert (dag_id, run_ids) == (self.dag_id, [self.run_id])
        return {self.run_id: self.states}

    def _answer_xcom(self, *, key: str, dag_id: str, task_id: str, run_id: str, map_index: int) -> Any:
        assert (dag_id, run_id, map_index) == (self.dag_id, self.run_id, -1)
        value = self.xcoms.get(task_id, {}).get(key)
        return None if value is None else json.dumps(value)  # as Airflow answers what a triggerer has reported


@cache
def steps_of(dag_id: str) -> tuple[StepOperator, ...]:
    """The steps of a DAG as its file declares them, first to last; who waits for a person is none."""
    dag = DagBag(DAGS / f"{dag_id}.py").dags[dag_id]
    return tuple(task for task in dag.topological_sort() if isinstance(task, StepOperator))  # type: ignore[no-untyped-call]
