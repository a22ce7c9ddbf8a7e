"""The steps of a backup as ordinary deferrable operators: a worker defers, a trigger works, a worker ends the task."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

from perennial.steps.operator import GRACE, StepOperator

if TYPE_CHECKING:  # it loads what a worker that only defers has no use for
    from perennial.steps.trigger import StepTrigger

RETRIES = 3
"""Airflow 3.3.2 fails an ordinary deferral where the executor's word comes late; retries are what its users have."""
RETRY_DELAY = timedelta(seconds=5)


class OrdinaryTrigger(BaseTrigger):
    """Does a step's work and tells of its end by an event, for a worker to take up.

    Args:
        step: Path of the step's trigger class.
        arguments: That class's arguments, rendered.
    """

    def __init__(self, step: str, arguments: dict[str, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.step, self.arguments = step, arguments

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.{type(self).__qualname__}", {"step": self.step, "arguments": self.arguments}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        module, _, name = self.step.rpartition(".")
        step: StepTrigger = getattr(import_module(module), name)(**self.arguments)
        step.task_instance = self.task_instance
        async for event in step.run():
            is_done, xcoms = isinstance(event, TaskSuccessEvent), getattr(event, "xcoms", None)
            yield TriggerEvent({"is_done": is_done, "xcoms": xcoms})  # type: ignore[no-untyped-call]


class OrdinaryDeferrableOperator(BaseOperator):
    """One step, by execute, defer and execute_complete."""

    template_fields = ("arguments",)

    def __init__(self, *, step: str, arguments: dict[str, Any], trigger_timeout: timedelta, **kwargs: Any) -> None:
        super().__init__(**{"retries": RETRIES, "retry_delay": RETRY_DELAY, **kwargs})
        self.step, self.arguments, self.trigger_timeout = step, arguments, trigger_timeout

    def execute(self, context: Context) -> None:
        """Hand the work to a trigger; the worker ends."""
        trigger = OrdinaryTrigger(self.step, self.arguments)
        self.defer(trigger=trigger, method_name="execute_complete", timeout=self.trigger_timeout)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """End the task as the trigger has said."""
        if not event["is_done"]:
            raise AirflowException(event["xcoms"]["failure"])
        return event["xcoms"]["return_value"]


def deferrable_chain(declare_chain: Callable[[], None]) -> None:
    """Declare the same tasks in the DAG at hand that `declare_chain` declares of workerless steps."""
    with DAG("original", auto_register=False) as original:
        declare_chain()
    tasks = {task.task_id: _as_ordinary(task) for task in original.tasks if isinstance(task, StepOperator)}
    for task in original.tasks:
        for after in task.downstream_task_ids:
            tasks[task.task_id] >> tasks[after]
        if task.is_teardown:
            setups = [tasks[before.task_id] for before in task.upstream_list if before.is_setup]
            tasks[task.task_id].as_teardown(setups=setups, on_failure_fail_dagrun=True)


def _as_ordinary(task: StepOperator) -> OrdinaryDeferrableOperator:
    return OrdinaryDeferrableOperator(
        task_id=task.task_id,
        step=task.trigger,
        arguments=task.trigger_arguments(),
        trigger_timeout=task.deadline + GRACE,
        trigger_rule=task.trigger_rule,
    )
