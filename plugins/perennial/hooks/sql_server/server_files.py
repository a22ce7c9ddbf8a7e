"""Where the files of a server's databases lie: one statement asks for all of them, and its tenants share the answer."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from perennial.hooks.asynchronous import PerLoop
from perennial.hooks.freshness import Freshness
from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.server import SqlServer


@dataclass
class _Memory:
    """What one server has said: the paths of each database's files, and when (time of the loop) it was asked; or why it
    has said nothing, and when that was known.
    """

    files: dict[str, tuple[str, ...]] = field(default_factory=dict)
    began: float = float("-inf")
    silence: SqlServerError | None = None
    silent_at: float = float("-inf")
    flight: asyncio.Task[None] | None = None


_memories: PerLoop[defaultdict[str, _Memory]] = PerLoop(lambda: defaultdict(_Memory))


async def files_of_all(
    conn_id: str, fresh: Freshness, *, pauses: Iterable[float] = ()
) -> Mapping[str, tuple[str, ...]]:
    """Paths of the files of each database that the login may see, where fresh enough or after the server was asked.

    Whoever comes while the server is being asked takes its answer, and what it fails with.

    Args:
        pauses: As of `SqlServer.talk`.

    Raises:
        SqlServerError: when the server cannot be reached or refuses.
        ConfigurationError: when Airflow has no such connection.
    """
    memory, loop = _memories.get()[conn_id], asyncio.get_running_loop()
    while memory.began < fresh.since:
        if memory.silence and memory.silent_at >= fresh.silent_since:
            raise memory.silence.with_traceback(None)  # raised for many: it would grow with each of them
        if memory.flight is None:
            began = loop.time()
            memory.flight = loop.create_task(_ask(memory, conn_id, began, tuple(pauses)), name=f"files of {conn_id}")
            memory.flight.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(memory.flight)  # it goes on for the others when this one is ended
    return memory.files


async def _ask(memory: _Memory, conn_id: str, began: float, pauses: tuple[float, ...]) -> None:
    try:
        rows = await SqlServer(conn_id).run(tsql.files_of_all(), pauses=pauses)
        files = defaultdict[str, list[str]](list)
        for row in rows:
            files[str(row["database_name"])].append(str(row["physical_name"]))
        memory.files, memory.began = {name: tuple(paths) for name, paths in files.items()}, began
        memory.silence = None
    except SqlServerError as error:
        memory.silence, memory.silent_at = error, asyncio.get_running_loop().time()
        raise
    finally:
        memory.flight = None


def remembered_files(conn_id: str, *, since: float) -> Mapping[str, tuple[str, ...]]:
    """What the server said when it was last asked, at `since` (time of the loop) or later; empty when it was not."""
    memory = _memories.get()[conn_id]
    return memory.files if memory.began >= since else {}


def remembered_silence(conn_id: str, *, since: float) -> str:
    """Why the server has named no files since then (time of the loop); empty where it did, or was not asked."""
    memory = _memories.get()[conn_id]
    return str(memory.silence).rstrip(".") if memory.silence and memory.silent_at >= since else ""


def files_of(all_files: Mapping[str, tuple[str, ...]], database: str) -> tuple[str, ...]:
    """Those of one database; without regard to case where no other answers to its name, as most servers compare."""
    if database in all_files:
        return all_files[database]
    alike = [paths for name, paths in all_files.items() if name.casefold() == database.casefold()]
    return alike[0] if len(alike) == 1 else ()
