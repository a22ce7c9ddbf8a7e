"""The operator side of a workerless step: it names its trigger, and Airflow starts that without a worker."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import StartTriggerArgs

from include.rules.errors import PerennialError
from perennial.hooks.aws.clients import closing_clients
from perennial.steps.trigger import StepResult, StepTrigger

GRACE = timedelta(minutes=5)
"""How much longer than the step's own deadline Airflow waits before it ends the trigger from outside."""


class StepOperator(BaseOperator):
    """Base of all workerless steps.

    Subclasses set `trigger`; its fields become templated arguments of the operator. Never map such a task with
    `.expand()`: Airflow would start every instance with the arguments of the class.

    Args:
        deadline: How long the step may take.
        fields: The trigger's fields, templated.
    """

    trigger: ClassVar[type[StepTrigger]]
    start_from_trigger = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.template_fields = cls.trigger.fields

    def __init__(self, *, deadline: timedelta = timedelta(hours=1), fields: dict[str, str], **kwargs: Any) -> None:
        # A failed step has already tried again whatever is worth trying; Airflow's retries would only delay the news.
        super().__init__(**{"retries": 0, **kwargs})
        for name in self.trigger.fields:
            setattr(self, name, fields.get(name, ""))
        self.deadline = deadline
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=f"{self.trigger.__module__}.{self.trigger.__qualname__}",
            trigger_kwargs={**fields, "deadline": deadline.total_seconds()},
            next_method="execute_complete",
            next_kwargs=None,
            timeout=deadline + GRACE,
        )

    def execute(self, context: Context) -> StepResult:
        """Do the same work inline; reached only where there is no triggerer (`dag.test()`)."""
        trigger = self.trigger(
            **{name: getattr(self, name) for name in self.trigger.fields}, deadline=self.deadline.total_seconds()
        )
        trigger.task_instance = context["ti"]  # type: ignore[assignment]

        async def work() -> StepResult:
            async with closing_clients():
                return await trigger.work_within_deadline()

        try:
            result = asyncio.run(work())
        except PerennialError as error:
            raise AirflowException(str(error)) from error
        for key, value in trigger.xcoms(result).items():
            context["ti"].xcom_push(key=key, value=value)
        return result

    def execute_complete(self, context: Context, event: object = None) -> object:
        """Airflow asks for the name of such a method; the trigger ends the task itself, so it is never called."""
        return event
