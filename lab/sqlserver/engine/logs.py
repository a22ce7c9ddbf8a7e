"""The transaction logs of a server's databases, and who tells them of commits."""

from __future__ import annotations

from collections.abc import Callable

import apsw

from lab.sqlserver.engine.databases import Databases
from lab.sqlserver.engine.lazy_writer import LazyWriter
from lab.sqlserver.engine.open_files import OpenFiles
from lab.sqlserver.engine.transaction_log import TransactionLog


class Logs:
    """The logs of the databases of a server that have been asked for; a bounded number have their files open."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._lock = databases.lock  # of() is called with it and without it
        self._open: dict[str, TransactionLog] = {}
        self._files = OpenFiles()
        self._writer = LazyWriter(self._checkpoint)

    def of(self, name: str) -> TransactionLog:
        """The log of an online database. Raises SqlServerError 911 if there is no such database."""
        with self._lock:
            if name.lower() not in self._open:
                self._open[name.lower()] = TransactionLog(self._databases, self._databases.get(name), self._files)
            return self._open[name.lower()]

    def close(self, name: str) -> None:
        """Let go of a log's file: the database goes offline, is restored over or dropped."""
        with self._lock:
            if log := self._open.pop(name.lower(), None):
                log.close()

    def watch(self, connection: apsw.Connection, name_of: Callable[[str], str]) -> None:
        """See to it that what `connection` commits gets into the log. `name_of` tells the database by its alias."""

        def hook(_connection: apsw.Connection, alias: str, _pages: int) -> int:
            name = name_of(alias)
            self.of(name).committed()
            self._writer.touch(name)
            return apsw.SQLITE_OK

        connection.set_wal_hook(hook)

    def _checkpoint(self, name: str) -> bool:
        with self._lock:
            log = self._open.get(name.lower())
        return log is None or log.checkpoint()
