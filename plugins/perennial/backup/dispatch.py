"""What the two dispatching tasks run on a worker: the partition keys of the tenants to back up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime

from include.rules.backup.due import daily_partitions, tenants_due_daily
from include.rules.points.requests import daily_partition
from perennial.backup.daily import find_unfinished
from perennial.hooks.aws.clients import closing_clients
from perennial.hooks.register import read_register
from perennial.hooks.vault.vault import Vault
from perennial.settings import Settings


def partitions_due(moment: datetime) -> list[str]:
    """Keys of all tenants that are due on the day (UTC) of `moment`."""

    async def read() -> list[str]:
        register = await read_register(Settings.from_environment())
        return list(daily_partitions(register, moment.date()))

    return _run(read)


def partitions_missing(moment: datetime) -> list[str]:
    """Keys of the tenants that have no verified daily recovery point of that day yet."""

    async def read() -> list[str]:
        settings = Settings.from_environment()
        register = await read_register(settings)
        tenants = await find_unfinished(Vault(settings), tenants_due_daily(register), moment.date())
        return [daily_partition(tenant, moment.date()) for tenant in tenants]

    return _run(read)


def _run(read: Callable[[], Awaitable[list[str]]]) -> list[str]:
    async def reading() -> list[str]:
        async with closing_clients():
            return await read()

    return asyncio.run(reading())
