"""The server's whole state: databases, credentials, sessions, locks and the operations that exclude each other."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.sqlserver.engine.certificates import Certificates
from lab.sqlserver.engine.control import Control
from lab.sqlserver.engine.credentials import Credentials
from lab.sqlserver.engine.databases import Database, Databases, new_guid
from lab.sqlserver.engine.faults import SqlFaults
from lab.sqlserver.engine.history import BackupHistory
from lab.sqlserver.engine.locks import ApplicationLocks
from lab.sqlserver.engine.logs import Logs
from lab.sqlserver.engine.principals import Logins
from lab.sqlserver.engine.registry import Registry
from lab.sqlserver.engine.sessions import Session, Sessions, Work
from lab.sqlserver.engine.work_counts import LOGINS, WorkCounts
from lab.sqlserver.errors import Cause, SqlServerError

PRODUCT_VERSION = "16.0.4175.1"
DATABASE_VERSION = 957
_REFUSALS = {Work.DATA_BACKUP: 3023, Work.LOG_BACKUP: 3023, Work.RESTORE: 3101, Work.ALTER: 5061}


LEAVING_SECONDS = 0.5
"""How long a session whose client has just closed its connection may still be seen in its database."""


class Instance:
    """One server, called `name`, with `user` as its administrator, on one state folder.

    In it are `data/` and `log/` for databases (or links to where they are to lie), `backup/` for backups to DISK,
    `temp/`.
    """

    def __init__(self, state: Path, name: str, user: str, password: str) -> None:
        self.state, self.name, self.faults = state, name, SqlFaults(state)
        self.data_folder, self.log_folder = _place(state / "data"), _place(state / "log")
        self.backup_folder, self.temp_folder = state / "backup", state / "temp"
        shutil.rmtree(self.temp_folder, ignore_errors=True)  # what a killed server left
        for folder in (self.data_folder, self.log_folder, self.backup_folder, self.temp_folder):
            folder.mkdir(parents=True, exist_ok=True)
        registry = Registry(state / "instance.db")
        self.databases = Databases(registry, self.data_folder, self.log_folder)
        self.logs = Logs(self.databases)
        self.credentials = Credentials(registry)
        self.certificates = Certificates(registry)
        self.identity = _identity(registry)
        """What tells this server from another, of another lab too, where their names are alike."""
        self.logins = Logins(registry, user, password)
        self.history = BackupHistory(Path(self.databases.get("msdb").data_file))
        self.sessions = Sessions()
        self.counts = WorkCounts()
        self.locks = ApplicationLocks()
        self.in_transition: set[str] = set()
        """Databases that an ALTER DATABASE waits to have to itself; changed under `databases.lock`."""

    @property
    def control(self) -> Control:
        return Control.read(self.state)

    def sign_in(self, session: Session, name: str) -> Database:
        """Begin a session in a database. Raises as `enter` does."""
        with self.databases.lock:
            database = self.enter(session, name)
            self.sessions.add(session)
            self.counts.note(LOGINS)
            return database

    def enter(self, session: Session, name: str) -> Database:
        """Make a database the session's current one.

        Raises SqlServerError 911, 927 or 942 where it cannot be read, 924 or 952 as `check_place` does.
        """
        with self.databases.lock:
            database = self.databases.readable(name)
            self.check_place(session, database)
            session.database = database.name
            return database

    def check_place(self, session: Session, database: Database) -> None:
        """Raises SqlServerError 924 when the one place in a single-user database is taken, 952 when a session waits to
        be alone in it: clients that connect again at once would keep it waiting for ever."""
        if database.name in self.in_transition and not session.uses(database.name):
            raise SqlServerError(952, database.name)
        if database.user_access == "SINGLE_USER" and self.others_inside(session, database):
            raise SqlServerError(924, database.name)

    def others_inside(self, session: Session, database: Database) -> list[Session]:
        return [other for other in self.sessions.inside(database.name) if other is not session]

    def in_use(self, database: Database) -> bool:
        """Whether a session uses the database, the asking one included."""
        return bool(self.sessions.inside(database.name))

    @contextmanager
    def working(self, session: Session, database: str, work: Work) -> Iterator[None]:
        """Let a session work on a database as a whole; for that long it is one of the database's users.

        Only what is read of the database from then on is sure to stay. Raises SqlServerError 3023, 3101 or 5061 where
        another session does the same.
        """
        with self.databases.lock:
            if work in self.sessions.at_work(database):
                raise SqlServerError(_REFUSALS[work], *([database] if work is Work.ALTER else []))
            session.works_on = work, database
        try:
            yield
        finally:
            session.works_on = None

    def check_exclusive(self, session: Session, database: Database) -> None:
        """Raises SqlServerError 3102 if the session itself is in the database, 3101 if another one is and stays."""
        if session.database == database.name:
            raise SqlServerError(3102, database.name)
        deadline = time.monotonic() + LEAVING_SECONDS
        while self.others_inside(session, database):
            if time.monotonic() > deadline:
                raise SqlServerError(3101)
            time.sleep(0.01)

    def leave(self, session: Session) -> None:
        """The session's connection is gone."""
        self.sessions.remove(session)
        self.locks.release_all(session.id)

    def stop(self, seconds: float) -> None:
        """End all sessions and wait up to `seconds` for their statements to clean up."""
        for session in self.sessions.all():
            session.end(Cause.STOPPING)
        deadline = time.monotonic() + seconds
        while self.sessions.all() and time.monotonic() < deadline:
            time.sleep(0.02)


def _identity(registry: Registry) -> str:
    record = registry.get("server", "identity")
    if record is None:
        record = {"guid": new_guid()}
        registry.put("server", "identity", record)
    return str(record["guid"])


def _place(folder: Path) -> Path:
    """The folder, or the one that it is a link to: what the host calls it is what the server shows."""
    return folder.readlink() if folder.is_symlink() else folder
