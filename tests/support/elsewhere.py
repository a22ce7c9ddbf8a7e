"""Another process that works in the same vault: it knows nothing of what this one has seen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from include.rules.points.leases import Purpose
from perennial.hooks.aws.clients import closing_clients
from perennial.hooks.vault import tenant_lease
from perennial.hooks.vault.documents import DocumentStore
from perennial.hooks.vault.leased import LeasedPoint
from perennial.hooks.vault.vault import Vault
from perennial.settings import Settings
from tests.unit.builders import running

Result = TypeVar("Result")

OWNER = "run-1"
POINT = "acme-daily-20261123"


def elsewhere(work: Callable[[Vault], Awaitable[Result]]) -> Result:
    """Do something as another process would: on an event loop of its own, with clients and a memory of its own."""

    async def working() -> Result:
        async with closing_clients():
            return await work(Vault(Settings.from_environment()))

    return asyncio.run(working())


async def meanwhile(work: Callable[[Vault], Awaitable[Result]]) -> Result:
    """The same, in the midst of a coroutine."""
    return await asyncio.to_thread(elsewhere, work)


async def begin_elsewhere(vault: Vault) -> None:
    """Another process begins a step of the same run, and ends it."""
    async with tenant_lease.continue_under_lease(vault, "acme", OWNER, incarnation="elsewhere"):
        pass


async def opened(vault: Vault) -> None:
    """A run that has the lease of acme and a manifest."""
    lease = await tenant_lease.acquire(vault, "acme", OWNER, Purpose.BACKUP, incarnation="here")
    LeasedPoint(lease, await vault.points.create(running().model_copy(update={"owner": OWNER, "token": lease.token})))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the documents that are read, in their order."""
    keys, get = list[str](), DocumentStore.get

    async def noted(self: DocumentStore, key: str) -> Any:
        keys.append(key)
        return await get(self, key)

    monkeypatch.setattr(DocumentStore, "get", noted)
    return keys
