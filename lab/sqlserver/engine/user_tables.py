"""Which tables of a database are its users' own."""

from __future__ import annotations

import apsw

from lab.sqlserver.engine.carried import SETTINGS_TABLE
from lab.sqlserver.engine.principals import USERS_TABLE


def user_tables(connection: apsw.Connection) -> list[str]:
    """The SQLite names of all tables that are not SQLite's own or the server's."""
    return [
        str(name)
        for (name,) in connection.execute(
            "SELECT name FROM main.sqlite_schema "
            "WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT IN (?, ?) ORDER BY name",
            (USERS_TABLE, SETTINGS_TABLE),
        )
    ]
