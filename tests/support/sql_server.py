"""The fixture `lab_sql_server`: a running SQL Server stand-in with connections, a power switch and a speed knob."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pymssql
import pytest

from lab.settings import HOST, LabSettings
from lab.sqlserver.control import Control
from lab.sqlserver.server import wait_until_ready
from tests.support.labs import LabServer, new_settings


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
            "login_timeout": 10,
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
        """Make every BACKUP and RESTORE that starts meanwhile last at least that long."""
        Control(backup_seconds, restore_seconds).write(self.folder)
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

    def new_database(self) -> str:
        """Create a database that no other test uses; returns its name."""
        name = f"test_{uuid4().hex[:12]}"
        self.run(f"CREATE DATABASE [{name}]")
        return name

    def move_files(self, database: str, folder: Path) -> None:
        """Lay the files of a database into another folder, as an administrator moves them to another volume."""
        files = [self.folder / "data" / f"{database}.mdf", self.folder / "log" / f"{database}_log.ldf"]
        self.run(f"ALTER DATABASE [{database}] SET OFFLINE", f"DROP DATABASE [{database}]")
        for file in files:
            for part in file.parent.glob(f"{file.name}*"):
                shutil.move(part, folder / part.name)
        self.attach(database, *(folder / file.name for file in files))

    def attach(self, database: str, data: Path, log: Path) -> None:
        """Make a database of files that are there already."""
        self.run(f"CREATE DATABASE [{database}] ON (FILENAME = N'{data}'), (FILENAME = N'{log}') FOR ATTACH")


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


@pytest.fixture(scope="session")
def lab_sql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSqlServer]:
    """One SQL Server stand-in for all tests of a process: use a database of your own (`new_database`)."""
    server = LabSqlServer(new_settings(tmp_path_factory.mktemp("lab-sql-server")))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_sql_server(tmp_path: Path) -> Iterator[LabSqlServer]:
    """A SQL Server stand-in for one test alone, which may crash it."""
    server = LabSqlServer(new_settings(tmp_path / "lab"))
    server.start()
    yield server
    server.stop()
