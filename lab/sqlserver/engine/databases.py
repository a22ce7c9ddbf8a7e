"""The databases of the server: their records, their states, and who may enter them."""

from __future__ import annotations

import dataclasses
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from lab.sqlserver.engine.registry import Registry
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.translation.dates import now

SYSTEM = ("master", "tempdb", "model", "msdb")
PAGE_SIZE = 8192
LOG_PAGES = 2  # what backups say of the log: a full one holds little of it, and SQLite has none to speak of
_BUSY_MILLISECONDS = 30_000
LSN_STEP = 800_000  # what one backup moves a database's log forward by
COMMIT_STEP = 1_000  # and what one commit does
_WITH_LOG = ("", "-wal", "-shm", "-journal")  # a file and what SQLite puts beside it


@dataclass(frozen=True)
class Database:
    """One database. `state` and the like hold what sys.databases shows; LSNs are numbers as in numeric(25,0).

    `family_guid` stays with the data through backup and restore; `base_lsn` and `base_guid` are the checkpoint and the
    set of the last full backup that was not COPY_ONLY (0: none). The log chain reaches from `chain_lsn` to `log_lsn`,
    the end of the last log backup (0: there is no chain); where it begins on another recovery fork, `log_fork`, the
    database has left that one at `fork_lsn`. While the database is RESTORING, it is rolled forward to
    `redo_lsn` (0: no backup is wholly restored yet), the moment `redo_time`, from the full backup `redo_base`. When it
    went OFFLINE its data file had last been written at `left_at`, in nanoseconds. `owner_sid` is the owner's, in
    hexadecimal; whoever makes a database, or restores or attaches one, becomes its owner. `availability_group` is the
    one that it has joined; `source_id` is the database that this one is a snapshot of.
    `encryptor` is the thumbprint, in hexadecimal, of the certificate that the database's key is encrypted by; empty
    where it has none.
    """

    id: int
    name: str
    data_file: str
    log_file: str
    data_name: str
    log_name: str
    created: str
    family_guid: str
    state: str = "ONLINE"
    user_access: str = "MULTI_USER"
    recovery_model: str = "FULL"
    lsn: int = 34_000_000_000_800_000
    base_lsn: int = 0
    base_guid: str | None = None
    recovery_fork: str | None = None
    log_fork: str | None = None
    fork_lsn: int = 0
    chain_lsn: int = 0
    log_lsn: int = 0
    redo_lsn: int = 0
    redo_time: str | None = None
    redo_base: str | None = None
    left_at: int = 0
    owner_sid: str = "01"
    availability_group: str | None = None
    source_id: int | None = None
    broker_enabled: bool = False
    trustworthy: bool = False
    db_chaining: bool = False
    broker_guid: str | None = None
    cdc: bool = False
    encryptor: str = ""
    encrypted: bool = False
    compatibility_level: int = 160

    @property
    def keeps_log(self) -> bool:
        """Whether changes are kept for the next log backup: not without a chain that it would continue."""
        return self.log_lsn != 0 and self.recovery_model != "SIMPLE"

    @property
    def page_digests(self) -> Path:
        """Where the digests of the differential base's pages are (see pages)."""
        return Path(self.data_file + "-base")

    @property
    def is_system(self) -> bool:
        return self.name in SYSTEM


class Databases:
    """The records of all databases, kept in the registry; read from it once, for each statement asks for some."""

    def __init__(self, registry: Registry, data_folder: Path, log_folder: Path) -> None:
        self._registry = registry
        self._data_folder, self._log_folder = data_folder, log_folder
        self.lock = registry.lock
        records = [Database(**record) for record in registry.all("database")]
        self._by_name = {database.name.lower(): database for database in records}
        self._create_system_databases()

    def all(self) -> list[Database]:
        with self.lock:
            return sorted(self._by_name.values(), key=lambda database: database.id)

    def find(self, name: str) -> Database | None:
        return self._by_name.get(name.lower())

    def get(self, name: str) -> Database:
        """Raises SqlServerError 911 for an unknown name."""
        database = self.find(name)
        if database is None:
            raise SqlServerError(911, name)
        return database

    def readable(self, name: str) -> Database:
        """The database, if its data can be read: raises 911, 927 (restoring) or 942 (offline) otherwise."""
        database = self.get(name)
        if database.state == "RESTORING":
            raise SqlServerError(927, database.name)
        if database.state == "OFFLINE":
            raise SqlServerError(942, database.name)
        return database

    def change(self, name: str, **changes: Any) -> Database:
        with self.lock:
            database = dataclasses.replace(self.get(name), **changes)
            self.put(database)
            return database

    def rename(self, database: Database, new_name: str) -> None:
        renamed = dataclasses.replace(database, name=new_name, created=now())
        with self.lock:
            self._registry.rename("database", database.name, new_name, _record(renamed))
            del self._by_name[database.name.lower()]
            self._by_name[new_name.lower()] = renamed

    def create(self, name: str, owner_sid: str = "01") -> Database:
        """A new, empty database in the default folders. Raises SqlServerError 1801, or 5133 or 5170 with 1802."""
        with self.lock:
            if self.find(name):
                raise SqlServerError(1801, name, state=3)
            database = self.blank(name, owner_sid)
            data_file = Path(database.data_file)
            if data_file.parent != self._data_folder:
                raise SqlServerError(5133, data_file).then(1802)
            if data_file.exists():
                raise SqlServerError(5170, data_file).then(1802)
            _create_file(data_file)
            self.put(database)
            return database

    def blank(self, name: str, owner_sid: str = "01") -> Database:
        """The record of a database of that name, not yet kept."""
        return Database(
            id=max((database.id for database in self.all()), default=0) + 1,
            name=name,
            data_file=str(self._data_folder / f"{name}.mdf"),
            log_file=str(self._log_folder / f"{name}_log.ldf"),
            data_name=name,
            log_name=f"{name}_log",
            created=now(),
            family_guid=new_guid(),
            recovery_fork=new_guid(),
            recovery_model="SIMPLE" if name in SYSTEM else "FULL",
            owner_sid=owner_sid,
        )

    def put(self, database: Database) -> None:
        with self.lock:
            self._registry.put("database", database.name, _record(database))
            self._by_name[database.name.lower()] = database

    def drop(self, database: Database) -> None:
        """Forget a database and remove its files; those of an offline one stay, as they do on a real server."""
        with self.lock:
            self._registry.delete("database", database.name)
            self._by_name.pop(database.name.lower(), None)
            if database.state != "OFFLINE":
                remove_files(database)

    def advance_log(self, name: str, step: int) -> int:
        """Move the log forward; returns the LSN that it had reached, one that no earlier call has returned."""
        with self.lock:
            reached = self.get(name).lsn
            self.change(name, lsn=reached + step)
            return reached

    def snapshots_of(self, database: Database) -> list[Database]:
        """The database snapshots that refer to a database."""
        return [other for other in self.all() if other.source_id == database.id]

    def check_whole(self, database: Database, what: str) -> None:
        """Raises SqlServerError 3709 where a snapshot refers to a database that is to be dropped or restored."""
        if snapshots := self.snapshots_of(database):
            raise SqlServerError(3709, what, snapshots[0].name)

    def owner_of(self, path: Path) -> Database | None:
        """The database that `path` is a file of."""
        return next((database for database in self.all() if str(path) in (database.data_file, database.log_file)), None)

    def _create_system_databases(self) -> None:
        for name in SYSTEM:
            known = self.find(name)
            if known and name == "tempdb":
                remove_files(known)
                _create_file(Path(known.data_file))
            elif known is None:
                self.create(name)


def _record(database: Database) -> dict[str, Any]:
    return dict(vars(database))  # no field holds anything of its own


def remove_files(database: Database) -> None:
    """Remove a database's files and the journals beside them."""
    database.page_digests.unlink(missing_ok=True)
    for file in (Path(database.data_file), Path(database.log_file)):
        for suffix in _WITH_LOG:
            file.with_name(file.name + suffix).unlink(missing_ok=True)


def new_guid() -> str:
    return str(uuid.uuid4()).upper()


def open_file(database: Database) -> apsw.Connection:
    """A connection of the server's own to a database's file; it waits for others that hold it for a moment."""
    connection = apsw.Connection(database.data_file, flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(_BUSY_MILLISECONDS)
    return connection


def _create_file(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("page_size", PAGE_SIZE)
    connection.pragma("journal_mode", "WAL")
    connection.pragma("user_version", 1)  # a file without any page yet would not be a database
    connection.close()
