"""Two incarnations of one step: triggers of the same task in two triggerers, of which each takes itself for the one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from airflow.triggers.base import TriggerEvent

from include.rules.points.leases import Purpose
from lab.testing.deadlines import within
from perennial.hooks.vault import tenant_lease
from perennial.hooks.vault.vault import Vault
from perennial.steps.trigger import StepResult, StepTrigger
from tests.support.triggers import trigger_of
from tests.support.vaults import VaultUnderTest

OWNER = "test/tenant_backup/run-1"


class Acts(StepTrigger):
    """A step that acts under the run's lease until it is told how to end."""

    def __init__(self, *args: object, **arguments: Any) -> None:
        super().__init__(*args, **arguments)
        self.began, self.ending = asyncio.Event(), asyncio.Event()
        self.ends_with: Exception | None = None
        self.times, self.called_off = 0, 0

    async def work(self) -> StepResult:
        self.times += 1
        async with self.under_lease("acme"):
            self.began.set()
            await self.ending.wait()
            if self.ends_with:
                raise self.ends_with
        return {"times": self.times}

    async def call_off(self) -> None:
        self.called_off += 1


class Opens(Acts):
    """A step that takes the lease, after it has waited for another owner to give it back."""

    async def work(self) -> StepResult:
        self.began.set()
        lease = await self.acquire("acme", Purpose.BACKUP, wait=within(20))
        await lease.release()
        return {}


@asynccontextmanager
async def beginning(trigger: Acts) -> AsyncIterator[asyncio.Task[list[TriggerEvent]]]:
    """Run a trigger as a triggerer does, from the moment in which it has begun to the end of the block."""

    async def events() -> list[TriggerEvent]:
        return [event async for event in trigger.run()]

    task = asyncio.create_task(events())
    try:
        async with asyncio.timeout(within(20)):
            await trigger.began.wait()
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def step(**fields: Any) -> Acts:
    """A step of the run that OWNER names."""
    trigger = trigger_of(Acts, **fields)
    assert isinstance(trigger, Acts)
    return trigger


async def says_nothing(task: asyncio.Task[list[TriggerEvent]], seconds: float = 1.5) -> bool:
    """True when the trigger neither yields an event nor ends: Airflow fails a task whose trigger just ends."""
    done, _ = await asyncio.wait({task}, timeout=seconds)
    return not done


def in_vault(vault: VaultUnderTest, work: Callable[[Vault], Awaitable[None]]) -> None:
    """Run `work` in a vault in which OWNER holds the lease of acme."""

    async def working(opened: Vault) -> None:
        await tenant_lease.acquire(opened, "acme", OWNER, Purpose.BACKUP)
        await work(opened)

    vault.run(working)
