"""The plumbing that all workerless steps share: a step is then a short class whose coroutine does the work.

A trigger runs at least once: after a triggerer was killed, it runs again from the start. Its constructor runs in the
triggerer's own loop, before templates are rendered, and anything but a TypeError there ends the whole triggerer; so it
only keeps what it is given.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import cached_property
from typing import Any, ClassVar

from airflow.triggers.base import BaseTrigger, TaskFailedEvent, TaskSuccessEvent, TriggerEvent

from include.rules.errors import ConfigurationError, PerennialError, UnavailableError
from perennial.hooks.vault.vault import Vault
from perennial.settings import Settings
from perennial.steps.fields import declared_fields

CLEAN_UP_SECONDS = 30
"""What Airflow, too, grants `on_kill` when a user ends a task."""

StepResult = dict[str, Any]
"""What a step reports: JSON, shown in the UI as the task's XCom; under `message` a sentence for whoever reads it."""


class StepTrigger(BaseTrigger):
    """Does the work of one step and ends its task, without ever starting a worker.

    Subclasses annotate their fields and write `work`. All fields are text, as templates render them; one that the class
    gives a value to may be missing.

    Attributes:
        fields: Names of the fields.
        deadline: Seconds that the step may take.
    """

    fields: ClassVar[tuple[str, ...]] = ()
    deadline: float = 3600

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.fields = declared_fields(cls, StepTrigger)

    def __init__(self, *_: object, **arguments: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        for name in (*self.fields, "deadline"):
            if name in arguments:
                setattr(self, name, arguments[name])

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as Airflow keeps them in its database."""
        arguments = {name: getattr(self, name) for name in (*self.fields, "deadline") if hasattr(self, name)}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    @cached_property
    def settings(self) -> Settings:
        """The settings of this deployment.

        Raises:
            ConfigurationError: when one is missing or cannot be used.
        """
        return Settings.from_environment()

    @cached_property
    def vault(self) -> Vault:
        """The vault of this deployment; raises as `settings` does."""
        return Vault(self.settings)

    @property
    def owner(self) -> str:
        """Who this step works for: deployment, DAG and run, as a lease names its holder.

        Raises:
            UnavailableError: when nobody has told it.
        """
        instance = self.task_instance
        if instance is None:
            raise UnavailableError("The trigger does not know which run it works for.", todo="Clear the task.")
        return f"{self.settings.deployment}/{instance.dag_id}/{instance.run_id}"

    async def work(self) -> StepResult:
        """Do the step's work; idempotent, because it may be begun again at any point.

        Raises:
            PerennialError: when it cannot be done; the message becomes the task's last word.
        """
        raise NotImplementedError

    def xcoms(self, result: StepResult) -> dict[str, Any]:
        """What Airflow keeps of a task that has succeeded, by key."""
        return {"return_value": result}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Do the work within the deadline and say how it ended; errors become a failed task, never an exception."""
        try:
            result = await self.work_within_deadline()
        except PerennialError as error:
            self.log.error("%s", error)
            yield TaskFailedEvent(xcoms={"failure": str(error)})
        except Exception as error:
            self.log.exception("This is an error in Perennial itself: please report it with these lines.")
            yield TaskFailedEvent(xcoms={"failure": f"{type(error).__name__}: {error}"})
        else:
            self.log.info("%s", describe(result))
            yield TaskSuccessEvent(xcoms=self.xcoms(result))

    async def work_within_deadline(self) -> StepResult:
        """Do the work, for at most `deadline` seconds.

        Raises:
            ConfigurationError: when a field is missing.
            UnavailableError: when the deadline has passed.
        """
        self._check_fields()
        seconds = float(self.deadline)
        try:
            async with asyncio.timeout(seconds):
                return await self.work()
        except TimeoutError as error:
            with suppress(Exception):
                async with asyncio.timeout(CLEAN_UP_SECONDS):
                    await self.on_kill()
            raise UnavailableError(
                f"The step did not end within {seconds / 3600:.1f} h.",
                why="What it had begun is closed or taken over by the next attempt.",
                todo="See in the log what it waited for, then clear the run.",
            ) from error

    def _check_fields(self) -> None:
        """Raises ConfigurationError when the task was started without one of the fields."""
        absent = [name for name in self.fields if not hasattr(self, name)]
        if absent:
            raise ConfigurationError(
                f"The step was started without {', '.join(absent)}.",
                why="It may have been started by another version of Perennial; nothing was done.",
                todo="Clear the task: it starts anew with the version that is installed.",
            )


class PreviewTrigger(StepTrigger):
    """Base of steps that show what others will do; where nobody has to approve it, the approval is skipped.

    The result has the preview under `preview`, and under `approval` something true where somebody has to approve it.
    """

    approval_task: str
    """The task to skip; it is directly downstream."""

    def xcoms(self, result: StepResult) -> dict[str, Any]:
        skipped = [] if result["approval"] else [self.approval_task]
        # What Airflow's own branching operators leave for the scheduler; there is no worker here to skip a task from.
        return {**super().xcoms(result), "skipmixin_key": {"skipped": skipped}}


def describe(result: StepResult) -> str:
    """A step's result as its log shows it: a line for each value that is there, those of one kind under their name."""
    lines = []
    for name, value in result.items():
        if isinstance(value, dict):
            lines += [f"{name}:", *(f"  {line}" for line in describe(value).splitlines())]
        elif value is not None:
            lines.append(f"{name}: {value}")
    return "\n".join(lines)
