"""What a database takes on its server: its files, and how much of them is in use."""

from __future__ import annotations

from dataclasses import dataclass

from include.rules.points.backup_files import DatabaseFile
from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.databases import PAGE_BYTES, database_file
from perennial.hooks.sql_server.server import SqlServer


@dataclass(frozen=True)
class DatabaseSpace:
    """The files of a database, and what is in use of them: about what a backup holds before it is compressed."""

    files: tuple[DatabaseFile, ...]
    used_bytes: int


async def space_used(server: SqlServer, database: str) -> DatabaseSpace:
    """Ask the server for the files of a database and the space in use, data and log.

    Raises:
        SqlServerError: 911 when there is no such database, 916 when the login has no user in it.
    """
    rows = await server.run(tsql.space_used(database))
    files = tuple(database_file(row) for row in rows)
    return DatabaseSpace(files, PAGE_BYTES * sum(int(row["pages"]) for row in rows))
