"""A .bak as SQL Server reads it: to its end, and what its header says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.sql_server.session import Row


async def read_backup(server: SqlServer, urls: Sequence[str], *, pauses: Iterable[float]) -> list[Row]:
    """Read a backup whole, from all its files, and return its headers, one for each backup set.

    Args:
        pauses: As in `SqlServer.talk`, for each of the two statements.

    Raises:
        SqlServerError: when the server cannot read it; `is_damage` when the backup is at fault.
    """
    pauses = tuple(pauses)
    async with server.one_session():
        await server.run(tsql.verify(urls), pauses=pauses)
        return await server.run(tsql.header(urls), pauses=pauses)
