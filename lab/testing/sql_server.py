"""A SQL Server stand-in with connections, a power switch and a speed knob."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

import pymssql
from pymssql import _mssql

from lab.settings import HOST, LabSettings
from lab.sqlserver.engine.control import Control
from lab.sqlserver.engine.faults import SqlFaults
from lab.sqlserver.server import wait_until_ready
from lab.testing.deadlines import pace, within
from lab.testing.server import LabServer
from lab.waiting import wait_until

WAIT_SECONDS = within(10)
IN_USE = 3702
"""Number by which DROP DATABASE says that somebody is in the database."""

RUNNING = (
    "SELECT r.session_id, r.command, r.percent_complete FROM sys.dm_exec_requests AS r "
    "JOIN sys.dm_exec_sessions AS s ON s.session_id = r.session_id WHERE s.program_name = N'{}'"
)


class LabSqlServer(LabServer):
    """A SQL Server stand-in under test. All its databases go away with its state folder."""

    def __init__(self, settings: LabSettings) -> None:
        super().__init__("lab.sqlserver", settings, wait_until_ready, {})

    @property
    def folder(self) -> Path:
        """The server's own part of the state folder: data/, log/, backup/."""
        return self.settings.state / "sqlserver"

    @property
    def connect_options(self) -> dict[str, Any]:
        """How pymssql.connect reaches it as its administrator, with autocommit."""
        return {
            "server": HOST,
            "port": str(self.settings.sql_server_port),
            "user": self.settings.sql_user,
            "password": self.settings.sql_password,
            "autocommit": True,
            "login_timeout": round(within(10)),
        }

    def connect(self, database: str = "master", **options: Any) -> pymssql.Connection:
        """A connection; `options` (of pymssql.connect) override `connect_options`."""
        return pymssql.connect(**self.connect_options | {"database": database} | options)

    def run(self, *statements: str, database: str = "master", **options: Any) -> list[tuple[Any, ...]]:
        """Run statements on a connection of their own; returns the last rows that came."""
        with self.connect(database, **options) as connection:
            return run_on(connection, *statements)

    def crash_and_restart(self) -> None:
        """SIGKILL, then a new process on the same state."""
        self.kill()
        self.start()

    @contextmanager
    def slowed(self, backup_seconds: float = 0.0, restore_seconds: float = 0.0) -> Iterator[None]:
        """Make every BACKUP and RESTORE that starts meanwhile last at least so many seconds of a quiet machine."""
        Control(backup_seconds * pace(), restore_seconds * pace()).write(self.folder)
        try:
            yield
        finally:
            Control().write(self.folder)

    @contextmanager
    def crashing(self, percent: int) -> Iterator[None]:
        """Let the next BACKUP or RESTORE kill the server there; it is up again afterwards."""
        Control(crash_after_percent=percent).write(self.folder)
        try:
            yield
        finally:
            Control().write(self.folder)
            self.crash_and_restart()

    @property
    def faults(self) -> SqlFaults:
        """The server's fault rules; `failing` takes its own away again."""
        return SqlFaults(self.folder)

    @contextmanager
    def failing(self, action: str, **rule: Any) -> Iterator[SqlFaults]:
        """Let statements or logins fail meanwhile, by a rule of `lab.sqlserver.engine.faults`."""
        self.faults.add(json.dumps([{"action": action, **rule}]).encode())
        try:
            yield self.faults
        finally:
            self.faults.clear()

    def new_database(self) -> str:
        """Create a database that no other test uses; returns its name."""
        name = f"test_{uuid4().hex[:12]}"
        self.run(f"CREATE DATABASE [{name}]")
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database; that a session in it was closed just now the server sees a moment later."""

        def is_dropped() -> bool:
            try:
                self.run(f"DROP DATABASE [{name.replace(']', ']]')}]")
            except pymssql.Error as error:
                if error.args[0] != IN_USE:
                    raise
                return False
            return True

        wait_until(is_dropped, WAIT_SECONDS, f"database {name} to be nobody's")

    def encrypt(self, database: str, *, on: bool = True) -> str:
        """Give a database an encryption key, encrypted by a certificate of its own; returns the certificate's name."""
        certificate = f"cert_{database}"
        by = f"ENCRYPTION BY SERVER CERTIFICATE [{certificate}]"
        self.run(f"CREATE CERTIFICATE [{certificate}] WITH SUBJECT = N'TDE'")
        self.run(f"CREATE DATABASE ENCRYPTION KEY WITH ALGORITHM = AES_256 {by}", database=database)
        if on:
            self.run(f"ALTER DATABASE [{database}] SET ENCRYPTION ON")
        return certificate

    def move_files(self, database: str, folder: Path) -> None:
        """Lay the files of a database into another folder, as an administrator moves them to another volume."""
        files = [self.folder / "data" / f"{database}.mdf", self.folder / "log" / f"{database}_log.ldf"]
        name = quoted(database)
        self.run(f"ALTER DATABASE {name} SET OFFLINE", f"DROP DATABASE {name}")
        for file in files:
            for part in file.parent.glob(f"{file.name}*"):
                shutil.move(part, folder / part.name)
        self.attach(database, *(folder / file.name for file in files))

    def attach(self, database: str, data: Path, log: Path) -> None:
        """Make a database of files that are there already."""
        files = ", ".join(f"(FILENAME = N'{str(file).replace(chr(39), chr(39) * 2)}')" for file in (data, log))
        self.run(f"CREATE DATABASE {quoted(database)} ON {files} FOR ATTACH")


def quoted(name: str) -> str:
    """A name as T-SQL writes it between brackets."""
    return f"[{name.replace(']', ']]')}]"


def run_on(connection: pymssql.Connection, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements on a connection, each to its very end; returns the last rows that came."""
    rows: list[tuple[Any, ...]] = []
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
            while True:
                if cursor.description:
                    rows = cursor.fetchall()
                if not cursor.nextset():
                    break
    return rows


def copy_live_files(files: Iterable[Path], to: Path) -> None:
    """Copy a database's files as a snapshot of their volume has them, without a word to the server, SQLite's too."""
    to.mkdir()
    for path in files:
        # The file itself last: what leaves SQLite's log meanwhile, or with it, has gone into it.
        for file in sorted(path.parent.glob(f"{escape(path.name)}*"), reverse=True):
            with suppress(FileNotFoundError):
                shutil.copy(file, to / file.name)


def start_in_thread(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Run `work` in a thread; its result, or the error it raises, becomes the only item of the list."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except (pymssql.Error, _mssql.MSSQLException) as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def wait_until_half_done(server: LabSqlServer, program: str) -> tuple[int, str, float]:
    """Wait for the BACKUP or RESTORE of a session by its `appname`; its session id, command and percentage."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        rows = server.run(RUNNING.format(program))
        if rows and rows[0][2] > 2:
            return rows[0]
        if time.monotonic() > deadline:
            raise TimeoutError(f"{program} did not get going within {WAIT_SECONDS:g} s: {rows}")
        time.sleep(0.05)


def wait_until_gone(server: LabSqlServer, program: str) -> None:
    """Wait until no session of that `appname` runs anything."""
    wait_until(
        lambda: not server.run(RUNNING.format(program)),
        WAIT_SECONDS,
        f"{program} still runs after {WAIT_SECONDS} s.",
    )
