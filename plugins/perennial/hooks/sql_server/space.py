"""What a database takes on its server, its files and how much of them is in use; and, asked with it, its settings."""

from __future__ import annotations

from dataclasses import dataclass

from include.rules.points.backup_files import DatabaseFile
from include.rules.points.database_settings import DatabaseSettings
from perennial.hooks.sql_server import tsql_settings
from perennial.hooks.sql_server.database_settings import settings_of
from perennial.hooks.sql_server.databases import PAGE_BYTES, database_file
from perennial.hooks.sql_server.server import SqlServer


@dataclass(frozen=True)
class DatabaseSpace:
    """The files of a database, what is in use of them (about what a backup holds before it is compressed), and the
    settings that lie around its data.
    """

    files: tuple[DatabaseFile, ...]
    used_bytes: int
    settings: DatabaseSettings


async def space_used(server: SqlServer, database: str) -> DatabaseSpace:
    """Ask the server, in one statement, for the files of a database, the space in use, data and log, and the settings.

    Raises:
        SqlServerError: 911 when there is no such database, 916 when the login has no user in it.
    """
    rows = await server.run(tsql_settings.space_and_settings(database))
    files = tuple(database_file(row) for row in rows)
    used_bytes = PAGE_BYTES * sum(int(row["pages"]) for row in rows)
    return DatabaseSpace(files, used_bytes, settings_of(rows[0]))
