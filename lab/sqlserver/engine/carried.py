"""What a database carries in its own file beside its users' rows, so that it comes along with backups and copied files.

All other settings of a database are its server's (see Databases): a restore and an attach lose them.
https://learn.microsoft.com/sql/relational-databases/databases/manage-metadata-when-making-a-database-available-on-another-server
"""

from __future__ import annotations

import json
from typing import Any

from lab.sqlserver.engine.databases import Database, open_file
from lab.sqlserver.engine.instance import Instance

SETTINGS_TABLE = "$settings"  # a name that no T-SQL statement of the lab's clients gives to a table
CARRIED = ("broker_guid", "cdc", "encryptor", "encrypted", "compatibility_level")
"""Fields of Database that are in its file, too."""


def change_carried(instance: Instance, database: Database, **changes: Any) -> Database:
    """Change some of what a database carries: in its file, as any other commit, and in what the server knows of it."""
    if changes.keys() - set(CARRIED):
        raise AssertionError(f"{', '.join(changes)} is not all carried in the file")
    instance.logs.of(database.name)  # opened first: it may have to catch up
    connection = open_file(database)
    instance.logs.watch(connection, lambda _: database.name)
    try:
        connection.execute(f'CREATE TABLE IF NOT EXISTS "{SETTINGS_TABLE}" (name TEXT PRIMARY KEY, value TEXT)')
        for name, value in changes.items():
            row = name, json.dumps(value)
            connection.execute(f'INSERT OR REPLACE INTO "{SETTINGS_TABLE}" VALUES (?, ?)', row)  # noqa: S608
    finally:
        connection.close(True)
    return instance.databases.change(database.name, **changes)


def carried_in(database: Database) -> dict[str, Any]:
    """What the file carries; for fields that it says nothing of, the values of a new database."""
    blank = {field: Database.__dataclass_fields__[field].default for field in CARRIED}
    connection = open_file(database)
    try:
        if not connection.table_exists("main", SETTINGS_TABLE):
            return blank
        rows = connection.execute(f'SELECT name, value FROM "{SETTINGS_TABLE}"')  # noqa: S608 - our own name
        return blank | {name: json.loads(value) for name, value in rows}
    finally:
        connection.close(True)
