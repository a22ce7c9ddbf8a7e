"""Files that are there already become a database, as after a copy of a whole volume.

CREATE DATABASE ... FOR ATTACH takes files that no database has; SET ONLINE takes those of an offline one, which may
have been replaced meanwhile. Files copied while the server ran are as a power cut would leave them; what had been
committed is in them, and SQLite recovers it from its write-ahead log, which must have been copied with the data file.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import apsw

from lab.sqlserver.engine.carried import carried_in
from lab.sqlserver.engine.databases import PAGE_SIZE, Database, new_guid
from lab.sqlserver.engine.instance import Instance
from lab.sqlserver.errors import SqlServerError

_MISSING = (2, 2, "The system cannot find the file specified.")
_NO_FOLDER = (3, 3, "The system cannot find the path specified.")
_IN_USE = (32, 32, "The process cannot access the file because it is being used by another process.")


def attach(instance: Instance, name: str, files: tuple[str, ...], owner_sid: str) -> None:
    """Make a database of a data file and its log. Its differential base and its log chain do not come with it.

    Neither do Service Broker and whatever trusts it; change data capture does.

    Raises SqlServerError 1801 for a name that is taken, 5120 for a file that is missing or another database's, 5171
    and 5172 for one that is no database's, 33111 for an encrypted one without its certificate.
    """
    databases = instance.databases
    with databases.lock:
        if databases.find(name):
            raise SqlServerError(1801, name, state=3)
        blank = databases.blank(name, owner_sid)
        data_file = files[0]
        log_file = files[1] if len(files) > 1 else str(Path(data_file).with_suffix(".ldf"))
        database = dataclasses.replace(blank, data_file=data_file, log_file=log_file)
        for path in (Path(data_file), Path(log_file)):
            if databases.owner_of(path):
                raise SqlServerError(5120, path, *_IN_USE, state=101)
        _check_file(database, Path(data_file))
        try:
            _check_file(database, Path(log_file))
        except SqlServerError as error:
            error.then(1813, name)
            raise
        database = dataclasses.replace(database, **carried_in(database))
        instance.certificates.check_has(database.encryptor)
        database.page_digests.unlink(missing_ok=True)
        databases.put(database)
        instance.logs.of(name).end_chain()


def close(instance: Instance, database: Database) -> None:
    """Take a database offline: its files are anybody's."""
    instance.logs.close(database.name)
    instance.databases.change(database.name, state="OFFLINE", left_at=Path(database.data_file).stat().st_mtime_ns)


def reopen(instance: Instance, database: Database) -> None:
    """Bring an offline database online; files put in its place have no part in its backups so far.

    Raises SqlServerError 5120, 5171 or 5172, with 5181, for files that are missing or no database's.
    """
    data_file = Path(database.data_file)
    try:
        for path in (data_file, Path(database.log_file)):
            _check_file(database, path)
    except SqlServerError as error:
        error.then(5181, database.name)
        raise
    if data_file.stat().st_mtime_ns == database.left_at:
        instance.databases.change(database.name, state="ONLINE")
        return
    database.page_digests.unlink(missing_ok=True)
    instance.databases.change(
        database.name,
        state="ONLINE",
        base_lsn=0,
        base_guid=None,
        chain_lsn=0,
        log_lsn=0,
        log_fork=None,
        fork_lsn=0,
        recovery_fork=new_guid(),
    )
    instance.logs.of(database.name).end_chain()


def _check_file(database: Database, path: Path) -> None:
    is_data = str(path) == database.data_file
    if not path.is_file():
        missing = _MISSING if path.parent.is_dir() else _NO_FOLDER
        raise SqlServerError(5120, path, *missing, state=101)
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        if is_data and connection.pragma("page_size") != PAGE_SIZE:
            raise SqlServerError(5171, path)
    except (apsw.NotADBError, apsw.CorruptError):
        raise SqlServerError(5171, path) if is_data else SqlServerError(5172, path, "file type") from None
    finally:
        connection.close(True)
