"""The operator side of a workerless step: it names its trigger, and Airflow starts that without a worker.

Each end of a step parses its DAG file again, in a process of its own. So an operator names its trigger as text, and
what a trigger needs (AWS, SQL Server) is loaded only by `execute`.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowException
from airflow.triggers.base import StartTriggerArgs

from include.rules.errors import PerennialError
from perennial.steps.fields import declared_fields

if TYPE_CHECKING:
    from perennial.steps.trigger import StepResult, StepTrigger

GRACE = timedelta(minutes=5)
"""How much longer than the step's own deadline Airflow waits before it ends the trigger from outside."""


class StepOperator(BaseOperator):
    """Base of all workerless steps.

    A subclass names its trigger and annotates the trigger's fields; they are its arguments, templated, and those that
    it gives a value to may be left out. Never map such a task with `.expand()`: Airflow would start every instance with
    the arguments of the class.

    Attributes:
        trigger: Path of the trigger's class, for instance `perennial.backup.bak.BackupDatabaseTrigger`.
        deadline: How long the step may take.
    """

    trigger: ClassVar[str]
    deadline: ClassVar[timedelta] = timedelta(hours=1)
    start_from_trigger = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.template_fields = declared_fields(cls, StepOperator)

    def __init__(self, **kwargs: Any) -> None:
        """Take the fields; all other arguments are those of every operator.

        Raises:
            TypeError: when a field is missing or no text.
        """
        fields = {name: kwargs.pop(name) for name in self.template_fields if name in kwargs}
        # A failed step has already tried again whatever is worth trying; Airflow's retries would only delay the news.
        super().__init__(**{"retries": 0, **kwargs})
        for name in self.template_fields:
            value = fields.get(name, getattr(type(self), name, None))
            if not isinstance(value, str):
                raise TypeError(f"{type(self).__name__} of task {self.task_id}: {name} is {value!r}, not a text")
            setattr(self, name, str(value))  # an enum's value, not the enum: Airflow keeps it in its database
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls=self.trigger,
            trigger_kwargs=self.trigger_arguments(),
            next_method="execute_complete",
            next_kwargs=None,
            timeout=self.deadline + GRACE,
        )

    def trigger_arguments(self) -> dict[str, Any]:
        """The trigger's arguments as they are now: templates at first, rendered when the task runs on a worker."""
        fields = {name: getattr(self, name) for name in self.template_fields}
        return {**fields, "deadline": self.deadline.total_seconds()}

    @classmethod
    def load_trigger(cls) -> type[StepTrigger]:
        """The trigger's class."""
        module, _, name = cls.trigger.rpartition(".")
        trigger: type[StepTrigger] = getattr(import_module(module), name)
        return trigger

    def execute(self, context: Context) -> StepResult:
        """Do the same work inline: for steps that run on a worker, and where there is no triggerer (`dag.test()`)."""
        from perennial.hooks.aws.clients import closing_clients

        trigger = self.load_trigger()(**self.trigger_arguments())
        trigger.task_instance = context["ti"]  # type: ignore[assignment]

        async def work() -> StepResult:
            async with closing_clients():
                try:
                    return await trigger.work_within_deadline()
                except PerennialError as error:
                    failure = await trigger.explain(error)
                    context["ti"].xcom_push(key="failure", value=failure)
                    raise AirflowException(failure) from error

        result = asyncio.run(work())
        for key, value in trigger.xcoms(result).items():
            context["ti"].xcom_push(key=key, value=value)
        return result

    def execute_complete(self, context: Context, event: object = None) -> object:
        """Airflow asks for the name of such a method; the trigger ends the task itself, so it is never called."""
        return event


class PreviewOperator(StepOperator):
    """Base of steps that show what others will do, and skip the approval where nobody has to approve it."""

    inherits_from_skipmixin = True
    approval_task: str
    """The task to skip; it has to be directly downstream."""
