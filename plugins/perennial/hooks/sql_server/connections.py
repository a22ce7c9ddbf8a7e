"""Airflow's connections to SQL Servers, asked for once in a while and not for each statement.

Airflow's own look-up costs more than most statements: the triggerer asks its supervisor, which asks the API server, and
each secret in the answer is told to the supervisor again, so that logs do not show it.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook
from airflow.sdk import Connection
from asgiref.sync import sync_to_async

from include.rules.errors import ConfigurationError
from perennial.hooks.asynchronous import LoopLocks, PerLoop

GOOD_FOR = 60.0
"""Seconds for which an answer is believed; one that the server refuses is asked for again at once."""


@dataclass(frozen=True)
class Looked:
    """A connection as Airflow had it, and when (the event loop's clock)."""

    connection: Connection
    at: float


_known: PerLoop[dict[str, Looked]] = PerLoop(dict)
_asking = LoopLocks()


async def look_up(conn_id: str, *, unlike: Connection | None = None, fresh: bool = False) -> Connection:
    """Airflow's connection of this id.

    Args:
        fresh: As it is now, whatever was answered before.
        unlike: One that does not serve: it is asked for anew, unless somebody else has since.

    Raises:
        ConfigurationError: when Airflow has none.
    """
    async with _asking.of(conn_id):
        known, now = _known.get().get(conn_id), asyncio.get_running_loop().time()
        if not fresh and known and known.connection is not unlike and now - known.at < GOOD_FOR:
            return known.connection
        try:
            connection: Connection = await sync_to_async(MsSqlHook.get_connection)(conn_id)
        except Exception as error:
            raise ConfigurationError(
                f"Airflow has no connection {conn_id!r} for SQL Server: {error}.",
                why="The database server cannot be reached.",
                todo="Create it (type mssql, with host, port, login and password), or correct the tenant's entry.",
            ) from error
        _known.get()[conn_id] = Looked(connection, now)
        return connection


def with_defaults(configured: Connection, program: str) -> Connection:
    """The connection as a session of this name uses it."""
    # In autocommit from the first: switched on later, it costs a transaction that is begun and rolled back.
    extra = {"login_timeout": 15, **configured.extra_dejson, "appname": program, "autocommit": True}
    return Connection(
        conn_id=configured.conn_id,
        conn_type="mssql",
        host=configured.host,
        login=configured.login,
        password=configured.password,
        port=configured.port or 1433,
        extra=json.dumps(extra),
    )


def is_same(one: Connection, other: Connection) -> bool:
    """Whether both lead to the same server in the same way."""
    return _parts(one) == _parts(other)


def _parts(connection: Connection) -> tuple[object, ...]:
    return connection.host, connection.port, connection.login, connection.password, connection.extra_dejson
