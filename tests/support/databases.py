"""The fixture `databases`: databases on the lab's SQL Server, their backups in its S3, and ways to lose them."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import pymssql
import pytest

from lab.testing.deadlines import within
from lab.testing.sql_server import LabSqlServer, copy_live_files
from lab.testing.storage import LabStorage
from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.session import Row, Session

Rows = list[tuple[Any, ...]]
OLD: Rows = [(number, sha256(bytes([number])).hexdigest()) for number in range(250)]  # does not compress to nothing
NEW: Rows = [(-1, "after the backup")]


class LostConnectionError(SqlServerError):
    """What pymssql raises on a connection that is gone."""

    def __init__(self, statement: str) -> None:
        super().__init__(20047, f"DBPROCESS is dead or not enabled: {statement}")


@dataclass(frozen=True)
class CutSession(Session):
    """A session that loses its connection at the n-th statement, before the server has heard of it or after it ended.

    Attributes:
        said: The statements so far.
    """

    at: int = 0
    after: bool = False
    said: list[str] = field(default_factory=list)

    def run(self, statement: str) -> list[Row]:
        if len(self.said) < self.at:
            self.said.append(statement)
            if len(self.said) < self.at:
                return super().run(statement)
            if self.after:
                with suppress(SqlServerError):
                    super().run(statement)
            self.connection.close()
        raise LostConnectionError(statement)


@dataclass
class DatabasesUnderTest:
    """Databases that no other test uses."""

    server: LabSqlServer
    storage: LabStorage
    folder: Path

    @contextmanager
    def session(
        self, kind: type[Session] = Session, login: Mapping[str, str] | None = None, **fields: Any
    ) -> Iterator[Any]:
        """A session in master, as Perennial's own are; of the administrator, or of another login."""
        connection = self.server.connect(**(login or {}))
        try:
            session = kind(connection, threading.Event(), **fields)
            session.listen()
            yield session
        finally:
            with suppress(pymssql.Error):
                connection.close()

    def talk(self, conversation: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """One conversation on a connection of its own."""
        with self.session() as session:
            return conversation(session, *args, **options)

    def crash_at_statements(self, prepare: Callable[[], Any], talk: Callable[..., None], every: int) -> Iterator[Any]:
        """Yield after each crash what had been prepared for it, for the conversation to be begun again.

        Args:
            prepare: Makes what the conversation needs.
            talk: The conversation, with a session and with what was prepared.
            every: At every which statement it crashes, from the first one on.
        """
        for at in range(1, 200, every):
            for after in (False, True):
                prepared = prepare()
                with self.session(CutSession, at=at, after=after) as session:
                    with suppress(LostConnectionError):
                        talk(session, prepared)
                    if len(session.said) < at:
                        return
                yield prepared

    def make(self, name: str = "", rows: Rows = OLD) -> str:
        """Create a database with a table; returns its name."""
        name = f"{name or 'shop'}_{uuid4().hex[:8]}"
        self.server.run(f"CREATE DATABASE {tsql.name(name)}")
        self.server.run("CREATE TABLE dbo.orders (id INT PRIMARY KEY, customer NVARCHAR(100))", database=name)
        self.write(name, rows)
        return name

    def write(self, name: str, rows: Rows) -> None:
        """Put these rows in the place of those that are there."""
        values = ", ".join(f"({number}, {tsql.text(text)})" for number, text in rows)
        self.server.run(
            "DELETE FROM dbo.orders", f"INSERT INTO dbo.orders (id, customer) VALUES {values}", database=name
        )

    def back_up(self, name: str, stripes: int = 1) -> list[str]:
        """Back a database up to the vault's bucket; returns the URLs."""
        address = self.storage.settings.storage_url.removeprefix("http://")
        prefix = f"s3://{address}/{self.storage.bucket}/{self.storage.new_prefix()}"
        urls = [f"{prefix}full-{number:02}.bak" for number in range(1, stripes + 1)]
        to = ", ".join(f"URL = {tsql.text(url)}" for url in urls)
        self.server.run(f"BACKUP DATABASE {tsql.name(name)} TO {to} WITH CHECKSUM, COMPRESSION")
        return urls

    def backed_up(self, name: str = "", stripes: int = 1) -> tuple[str, list[str]]:
        """A database whose rows have changed since its backup: its name and the backup's URLs."""
        database = self.make(name)
        urls = self.back_up(database, stripes)
        self.write(database, NEW)
        return database, urls

    def damage(self, url: str, part: float = 0.5) -> None:
        """Change one byte of a backup's file: in its midst, or at another part of its length."""
        client, key = self.storage.client(), url.partition(f"/{self.storage.bucket}/")[2]
        body = bytearray(client.get_object(Bucket=self.storage.bucket, Key=key)["Body"].read())
        body[int(len(body) * part)] ^= 0xFF
        client.put_object(Bucket=self.storage.bucket, Key=key, Body=bytes(body))

    def copied(self, name: str) -> list[str]:
        """Copies of a database's files as a snapshot of their volume has them, without a word to the server."""
        to = self.folder / uuid4().hex
        copy_live_files(self.files(name), to)
        return [str(to / path.name) for path in self.files(name)]

    def files(self, name: str) -> list[Path]:
        """Where the database's files lie, the data file first."""
        statement = f"SELECT physical_name FROM sys.master_files WHERE database_id = DB_ID({tsql.text(name)})"
        return [Path(path) for (path,) in self.server.run(f"{statement} ORDER BY file_id")]

    def state(self, name: str) -> str:
        """For instance "ONLINE MULTI_USER"; empty when there is no such database."""
        return " ".join(str(value) for row in self.server.run(tsql.database_state(name)) for value in row)

    def rows(self, name: str) -> Rows:
        """The rows of a database that is open to everybody."""
        assert self.state(name) == "ONLINE MULTI_USER"
        return self.server.run("SELECT id, customer FROM dbo.orders ORDER BY id", database=name)

    def bring_into(self, state: str, name: str) -> None:
        """Leave a database "offline", "restoring", "without files" or "gone"; it stays as it is for "online"."""
        if state == "offline":
            self.server.run(tsql.set_access(name, tsql.OFFLINE))
        if state == "restoring":
            self.leave_restoring(name)
        if state == "without files":
            self.leave_without_files(name)
        if state == "gone":
            self.server.drop_database(name)

    def leave_restoring(self, name: str) -> None:
        """What a restore leaves that was broken off."""
        (own,) = self.back_up(name)
        self.server.run(f"RESTORE DATABASE {tsql.name(name)} FROM URL = {tsql.text(own)} WITH REPLACE, NORECOVERY")

    def leave_without_files(self, name: str) -> None:
        """What a lost data file leaves: a database that cannot be brought online."""
        (data, _) = self.files(name)
        self.server.run(tsql.set_access(name, tsql.OFFLINE))
        data.unlink()
        with pytest.raises(pymssql.Error):
            self.server.run(tsql.set_access(name, tsql.ONLINE))

    @contextmanager
    def in_use(self, name: str, clients: int = 3) -> Iterator[None]:
        """Clients that work in a database, and connect again at once whenever they are put out."""
        over = threading.Event()

        def work() -> None:
            while not over.is_set():
                with suppress(pymssql.Error), self.server.connect(name) as connection:
                    while not over.wait(0.001):
                        with connection.cursor() as cursor:
                            cursor.execute("SELECT 1")

        threads = [threading.Thread(target=work, daemon=True) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join(within(30))


def corrupt(data_file: str) -> None:
    """Overwrite part of the database's last page, behind the back of everybody."""
    with sqlite3.connect(data_file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    with Path(data_file).open("r+b") as file:
        file.seek(-8192, 2)
        file.write(b"\xff" * 4096)


@pytest.fixture
def databases(lab_sql_server: LabSqlServer, lab_storage: LabStorage, tmp_path: Path) -> DatabasesUnderTest:
    """Databases on the lab's SQL Server, which can back them up to the lab's S3."""
    keys = lab_storage.settings
    credential = tsql.name(f"s3://{keys.storage_url.removeprefix('http://')}/{lab_storage.bucket}")
    lab_sql_server.run(
        f"IF NOT EXISTS (SELECT 1 FROM sys.credentials WHERE name = N'{credential[1:-1]}') "
        f"CREATE CREDENTIAL {credential} WITH IDENTITY = N'S3 Access Key', "
        f"SECRET = N'{keys.access_key}:{keys.secret_key}'"
    )
    return DatabasesUnderTest(lab_sql_server, lab_storage, tmp_path)
