"""What the last step of a run needs: to name the first cause, and to close what a run has left without its lease."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, ClassVar

from include.rules.errors import LeaseBusyError, LeaseLostError, OutrankedError
from include.rules.points.failures import NO_REASON, StepFailure, describe, merged, with_failures, without_step
from include.rules.points.leases import Purpose
from perennial.hooks.vault.leased import FencedDocument
from perennial.hooks.vault.tenant_lease import TenantLease, released_after, renewing
from perennial.steps.task_states import FAILED, failure_of, task_states
from perennial.steps.trigger import StepTrigger, reason_of

log = logging.getLogger(__name__)

ANSWER_SECONDS = 60
"""How long Airflow may take to say what has become of the other steps: it only adds to what is known."""


class ClosingTrigger(StepTrigger):
    """Base of the steps that run at the end of a run, whatever became of it; people read them first.

    Most failures stand in the document that the step closes. Those that could not be written there (the vault was away,
    the lease was lost, the task was ended from outside) are known to Airflow alone.

    Attributes:
        clean_up: Other steps that run after a failure: theirs is never the first cause.
    """

    clean_up: ClassVar[tuple[str, ...]] = ()

    @asynccontextmanager
    async def closing(
        self, tenant: str, purpose: Purpose, is_unclosed: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[TenantLease]:
        """The run's lease, taken once more when it was lost before the run was closed, and given back after the block.

        Args:
            is_unclosed: Says whether this run has left something open.

        Raises:
            LeaseLostError, LeaseBusyError: when there is nothing of this run's to close, or somebody else holds it.
        """
        version = await self.vault.lease(tenant)
        if version and version.value.owner != self.owner and await is_unclosed():
            lease = await self.acquire(tenant, purpose)
            async with released_after(lease), renewing(lease):
                yield lease
        else:
            async with self.under_lease(tenant) as lease, released_after(lease):
                yield lease

    async def ask_airflow(self) -> tuple[StepFailure, ...]:
        """The other steps of this run that have failed, as Airflow knows them; none where it does not say."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                states = await task_states(self.task_instance) or {}
                failed = [task_id for task_id, state in states.items() if state == FAILED and task_id != self.step_id]
                told = [(task_id, await failure_of(self.task_instance, task_id)) for task_id in failed]
        except Exception as error:
            self.log.warning("Airflow does not say why other steps have failed: %s", reason_of(error))
            return ()
        failures = [StepFailure(step=task_id, message=failure or NO_REASON) for task_id, failure in told]
        return merged((), failures, clean_up=self.clean_up)

    async def complete_failures(self, document: FencedDocument[Any]) -> None:
        """Write into a document that is to be closed what Airflow alone knows; that an earlier try of this step has
        failed is over.
        """
        told = await self.ask_airflow()

        def completed(current: Any) -> Any:
            rest = current.model_copy(update=without_step(current, self.step_id))
            return rest.model_copy(update=with_failures(rest, told, clean_up=self.clean_up))

        if completed(document.value) != document.value:
            await document.change(completed)

    async def explain(self, error: Exception) -> str:
        """What this step has failed with, and the first cause where that does not name it."""
        failure = await super().explain(error)
        recorded = tuple(f for document in self._held for f in document.value.failures if f.step != self.step_id)
        before = merged(recorded, await self.ask_airflow(), clean_up=self.clean_up)
        return failure if not before or before[0].message in failure else f"{failure} Before that {describe(before)}"


@contextmanager
def leaving_it_to_others() -> Iterator[None]:
    """Go on after a block that closes a run where another owner has the lease, or nobody: then there is nothing to
    close, or only to say what is where.

    Raises:
        OutrankedError: when it is a later incarnation of this run that closes it; that one says how it ended.
    """
    try:
        yield
    except OutrankedError:
        raise
    except (LeaseLostError, LeaseBusyError) as error:
        log.warning("%s", error)
