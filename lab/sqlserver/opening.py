"""ALTER DATABASE ... SET ONLINE: a database opens its files again, if they are there."""

from __future__ import annotations

from pathlib import Path

from lab.sqlserver.databases import Database
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.instance import Instance

_MISSING = (2, 2, "The system cannot find the file specified.")


def bring_online(instance: Instance, database: Database) -> None:
    """Raises SqlServerError 5120 for a file that is missing; the database stays as it was."""
    for file in (database.data_file, database.log_file):
        if not Path(file).is_file():
            raise SqlServerError(5120, file, *_MISSING, state=101).then(5181, database.name)
    instance.databases.change(database.name, state="ONLINE")
