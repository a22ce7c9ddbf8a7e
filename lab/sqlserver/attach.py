"""CREATE DATABASE ... FOR ATTACH: files that are there already become a database, as after a copy of a whole volume.

Files copied while the server ran are as a power cut would leave them; what had been committed is in them, and SQLite
recovers it from its write-ahead log, which must have been copied with the data file.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import apsw

from lab.sqlserver.databases import PAGE_SIZE, Database
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.instance import Instance

_MISSING = (2, 2, "The system cannot find the file specified.")
_IN_USE = (32, 32, "The process cannot access the file because it is being used by another process.")


def attach(instance: Instance, name: str, files: tuple[str, ...]) -> None:
    """Make a database of a data file and its log. Its differential base and its log chain do not come with it.

    Raises SqlServerError 1801 for a name that is taken, 5120 for a file that is missing or another database's, 5171
    and 5172 for one that is no database's.
    """
    databases = instance.databases
    with databases.lock:
        if databases.find(name):
            raise SqlServerError(1801, name, state=3)
        blank = databases.blank(name)
        data_file = files[0]
        log_file = files[1] if len(files) > 1 else str(Path(data_file).with_suffix(".ldf"))
        database = dataclasses.replace(blank, data_file=data_file, log_file=log_file)
        for path in (data_file, log_file):
            _check(instance, database, Path(path))
        database.page_digests.unlink(missing_ok=True)
        databases.put(database)
        instance.logs.of(name).end_chain()


def _check(instance: Instance, database: Database, path: Path) -> None:
    is_data = str(path) == database.data_file
    if instance.databases.owner_of(path):
        raise SqlServerError(5120, path, *_IN_USE, state=101)
    if not path.is_file():
        error = SqlServerError(5120, path, *_MISSING, state=101)
        raise error if is_data else error.then(1813, database.name)
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        if is_data and connection.pragma("page_size") != PAGE_SIZE:
            raise SqlServerError(5171, path)
    except (apsw.NotADBError, apsw.CorruptError):
        raise SqlServerError(5171, path) if is_data else SqlServerError(5172, path, "file type") from None
    finally:
        connection.close(True)
