"""The plumbing that all workerless steps share: a step is then a short class whose coroutine does the work.

A trigger runs at least once: after a triggerer was killed, it runs again from the start. Its constructor runs in the
triggerer's own loop, before templates are rendered, and anything but a TypeError there ends the whole triggerer; so it
only keeps what it is given.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, ClassVar, TypeVar

from airflow.triggers.base import TaskFailedEvent, TaskSuccessEvent, TriggerEvent

from include.rules.errors import (
    ConfigurationError,
    ConflictError,
    LeaseLostError,
    OutrankedError,
    PerennialError,
    UnavailableError,
)
from include.rules.points.failures import NO_REASON
from include.rules.points.leases import CHANGE_WITHIN
from perennial.hooks import waits
from perennial.hooks.vault.leased import FencedDocument
from perennial.steps.fields import declared_fields
from perennial.steps.incarnation import Incarnation

CLEAN_UP_SECONDS = 30
"""What Airflow, too, grants `on_kill` when a user ends a task."""

Held = TypeVar("Held", bound=FencedDocument[Any])

StepResult = dict[str, Any]
"""What a step reports: JSON, shown in the UI as the task's XCom; under `message` a sentence for whoever reads it."""


class StepTrigger(Incarnation):
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
        self._held = list[FencedDocument[Any]]()
        self._why = ""
        for name in (*self.fields, "deadline"):
            if name in arguments:
                setattr(self, name, arguments[name])

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, as Airflow keeps them in its database."""
        arguments = {name: getattr(self, name) for name in (*self.fields, "deadline") if hasattr(self, name)}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    def holding(self, document: Held) -> Held:
        """The document that the step changes under the lease; what the step fails with is remembered in it."""
        self._held.append(document)
        return document

    async def work(self) -> StepResult:
        """Do the step's work; idempotent, because it may be begun again at any point.

        Raises:
            PerennialError: when it cannot be done; the message becomes the task's last word.
        """
        raise NotImplementedError

    def xcoms(self, result: StepResult) -> dict[str, Any]:
        """What Airflow keeps of a task that has succeeded, by key."""
        return {"return_value": result}

    async def call_off(self) -> None:
        """End what this step has set going elsewhere, or it would go on for nobody; idempotent."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Do the work within the deadline and say how it ended; errors become a failed task, never an exception.

        An incarnation that is outranked says nothing: the later one speaks for the task.
        """
        event = await self._outcome()
        while event is None or (self.has_taken_token and await self.is_outranked(CHANGE_WITHIN)):
            await self.stand_by()
            self._held.clear()
            self._why = ""
            event = await self._outcome()
        yield event

    async def _outcome(self) -> TriggerEvent | None:
        """How the work has ended; None when a later incarnation has taken it over."""
        try:
            result = await self.work_within_deadline()
        except OutrankedError as error:
            self.log.warning("%s", error)
            return None
        except PerennialError as error:
            failure = await self.explain(error)
            self.log.error("%s", failure)
            return TaskFailedEvent(xcoms={"failure": failure})
        except Exception as error:
            self.log.exception("This is an error in Perennial itself: please report it with these lines.")
            return TaskFailedEvent(xcoms={"failure": await self.explain(error)})
        self.log.info("%s", describe(result))
        return TaskSuccessEvent(xcoms=self.xcoms(result))

    async def on_kill(self) -> None:
        """Airflow calls it when somebody has ended the task, and also when another triggerer has taken it over.

        Only the first is a reason to end what the step has set going: the task is then no longer deferred, and no later
        incarnation holds the lease's token.
        """
        if await self.is_outranked() or await self.is_awaited():
            self.log.warning("Another incarnation goes on with this step: what it has set going stays.")
            return
        await self.remember()
        await self.call_off()

    async def work_within_deadline(self) -> StepResult:
        """Do the work, for at most `deadline` seconds.

        Raises:
            ConfigurationError: when a field is missing.
            UnavailableError: when the deadline has passed.
        """
        self._check_fields()
        seconds, awaited = float(self.deadline), list[str]()
        try:
            async with asyncio.timeout(seconds) as limit:
                with waits.noting() as awaited:
                    return await self.work()
        except Exception as error:
            # A TimeoutError of something that the step has asked is an error like any other.
            if not (isinstance(error, TimeoutError) and limit.expired()):
                await self.remember(error)
                raise
            last = f": it waited for {awaited[0].rstrip('.')}" if awaited else ""
            late = UnavailableError(
                f"The step did not end within {seconds / 3600:.1f} h{last}.",
                why="What it had begun is closed or taken over by the next attempt.",
                todo="Mend what kept it, which its log may say more of, then clear the run.",
            )
            await self.remember(late)
            with suppress(Exception):
                async with asyncio.timeout(CLEAN_UP_SECONDS):
                    if not await self.is_outranked():
                        await self.call_off()
            raise late from error

    async def remember(self, error: Exception | None = None) -> None:
        """Write into the documents that the step holds why it fails; the first reason it gives is the one that counts.

        Not that the lease is lost: nobody may write then.

        Args:
            error: What it fails with; None when it was ended from outside.
        """
        if self._why or isinstance(error, LeaseLostError):
            return
        self._why = reason_of(error) if error else NO_REASON
        for document in self._held:
            await self.tell(document)

    async def tell(self, document: FencedDocument[Any]) -> None:
        """Write into a document why this step fails; where the vault does not take it, `close` asks Airflow for it."""
        try:
            async with asyncio.timeout(CLEAN_UP_SECONDS):
                await document.change(lambda current: current.with_failure(self._why, self.step_id))
        except LeaseLostError:
            return  # a later step has taken over: this one's end means nothing any more
        except Exception as second:
            self.log.warning("The vault could not be told of it: %s", reason_of(second))

    async def explain(self, error: Exception) -> str:
        """What the UI shows of a step that has failed."""
        return reason_of(error)

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


def reason_of(error: BaseException) -> str:
    """An error as the UI, the vault and `close` have it; one that nobody has foreseen says that it is none of theirs.

    What has failed while another error was being dealt with comes after that one: it is not the first cause.
    """
    known = isinstance(error, PerennialError)
    text = f"{type(error).__name__}: {error} (an error in Perennial itself: please report it with the task's log)"
    reason, before = str(error) if known else text, error.__context__
    masked = error.__cause__ is None and isinstance(before, PerennialError) and not isinstance(before, ConflictError)
    return f"{reason_of(before)} After that: {reason}" if masked and before else reason


def describe(result: StepResult) -> str:
    """A step's result as its log shows it: a line for each value that is there, those of one kind under their name."""
    lines = []
    for name, value in result.items():
        if isinstance(value, dict):
            lines += [f"{name}:", *(f"  {line}" for line in describe(value).splitlines())]
        elif value is not None:
            lines.append(f"{name}: {value}")
    return "\n".join(lines)
