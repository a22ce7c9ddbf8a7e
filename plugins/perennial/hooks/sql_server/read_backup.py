"""A .bak as SQL Server reads it: to its end, and what its header says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from include.rules.errors import DamagedBackupError
from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.faults import Fault
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.sql_server.session import Row
from perennial.settings import Settings

log = logging.getLogger(__name__)

Result = TypeVar("Result")


async def read_backup(server: SqlServer, urls: Sequence[str], settings: Settings) -> list[Row]:
    """Read a backup whole, from all its files, and return its headers, one for each backup set.

    Raises:
        SqlServerError: when the server cannot read it, for as long as it may be tried; `is_damage` when the backup is
            at fault, found so twice.
    """

    async def read() -> list[Row]:
        async with server.one_session():
            await server.run(tsql.verify(urls), pauses=settings.pauses)
            return await server.run(tsql.header(urls), pauses=settings.pauses)

    return await look_twice(read, settings)


async def look_twice(look: Callable[[], Awaitable[Result]], settings: Settings) -> Result:
    """Look at a backup, or a database; what seems damaged is believed to be when a later second look finds it, too.

    A proxy, a store or a network on a bad day can cut a good backup short, and a good one that was thrown away is gone.

    Raises:
        SqlServerError, DamagedBackupError: what the second look has found.
    """
    try:
        return await look()
    except (DamagedBackupError, SqlServerError) as error:
        if isinstance(error, SqlServerError) and error.fault is not Fault.DAMAGE:
            raise
        pause = settings.second_look.total_seconds()
        log.warning("%s Looking again in %.0f s.", error, pause)
    await asyncio.sleep(pause)
    return await look()
