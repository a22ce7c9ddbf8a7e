"""A session's way to rows: its SQLite connection to the current database, and the names that statements give to tables.

T-SQL's schemas become part of the table's name in SQLite: dbo.t is `t`, sales.t is `sales.t`. Other databases are
attached and sys views built for the time of one statement.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import apsw

from lab.sqlserver.engine import functions, permissions
from lab.sqlserver.engine.databases import open_file
from lab.sqlserver.engine.instance import Instance
from lab.sqlserver.engine.sessions import Session
from lab.sqlserver.engine.system_views import VIEWS
from lab.sqlserver.errors import UNSUPPORTED, SqlServerError
from lab.sqlserver.translation.declarations import sqlite_columns
from lab.sqlserver.translation.names import sqlite_name

_CHECK_EVERY = 20_000  # SQLite instructions between two looks at whether the client still wants the answer


@dataclass(frozen=True)
class Table:
    """A table as SQLite knows it: `place` is main, temp or an attached database; `columns` maps names to types."""

    place: str
    name: str
    columns: dict[str, str]

    @property
    def identity(self) -> str | None:
        """The identity column, the only one that is declared as SQLite's own INTEGER (see tables)."""
        return next((column for column, kind in self.columns.items() if kind == "INTEGER"), None)


class Storage:
    """One session's SQLite connection. `check` is called during long statements and raises when they must stop."""

    def __init__(self, instance: Instance, session: Session, check: Callable[[], None]) -> None:
        self._instance, self._session, self._check = instance, session, check
        self._connection: apsw.Connection | None = None
        self._views: set[str] = set()
        self._attached: dict[str, str] = {}

    @property
    def connection(self) -> apsw.Connection:
        """The connection to the current database, opened at first use."""
        if self._connection is None:
            database = self._instance.databases.readable(self._session.database)
            self._instance.logs.of(database.name)  # opened first: it may have to catch up
            connection = open_file(database)
            self._instance.logs.watch(connection, self._database_at)
            connection.set_progress_handler(self._look_up, _CHECK_EVERY)
            connection.set_busy_handler(self._wait_for_lock)
            connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)  # "x" is a name; an unknown one is an error, not a text
            connection.pragma("synchronous", "NORMAL")
            connection.pragma("foreign_keys", True)
            functions.register(connection, self._instance, self._session)
            self._connection = connection
        return self._connection

    def use(self, name: str) -> str:
        """Change the current database; returns its name as it was created."""
        if self._connection is not None and self._connection.in_transaction:
            raise SqlServerError(UNSUPPORTED, "USE inside a transaction that has written")
        permissions.check_entry(self._instance, self._session, self._instance.databases.readable(name))
        entered = self._instance.enter(self._session, name)
        self.close()
        return entered.name

    def close(self) -> None:
        """Let go of the database; a transaction that is open is rolled back."""
        if self._connection is not None:
            self._connection.close(True)
            self._connection = None

    def before_writing(self) -> None:
        """Inside BEGIN TRAN, SQLite's transaction starts with the first write: reads are of what is committed."""
        if self._session.transactions and not self.connection.in_transaction:
            self.connection.execute("BEGIN IMMEDIATE")

    def end_transaction(self, action: str) -> None:
        """COMMIT or ROLLBACK what has been written."""
        if self._connection is not None and self._connection.in_transaction:
            self._connection.execute(action)

    def table(self, parts: tuple[str, ...], action: str = "SELECT") -> Table:
        """The table of that name, of one to three parts, for SELECT, INSERT, UPDATE or DELETE.

        Raises SqlServerError 208 if there is none, 229 if that is not allowed, 911, 916, 924, 927, 942 or 952 if
        its database is not there to be read.
        """
        database, schema, name = ("", "", *parts)[-3:]
        if schema.lower() == "sys" or name.lower() == "sysdatabases":
            return self._view(database, name.lower(), ".".join(parts))
        place = "main" if self._is_current(database) else self._attach(database)
        inner = sqlite_name((schema, name))
        columns = self._columns(place, inner)
        if not columns:
            raise SqlServerError(208, ".".join(parts))
        permissions.check_table(self._instance, self._session, database or self._session.database, name, action)
        return Table(place, inner, columns)

    def release(self) -> None:
        """The statement is over: give back what was there for it alone."""
        if self._connection is not None:
            for view in self._views:
                self._connection.execute(f'DROP TABLE IF EXISTS temp."{view}"')
            for place in self._attached.values():
                if not self._connection.in_transaction:
                    self._connection.execute(f'DETACH "{place}"')
        self._views.clear()
        if self._connection is None or not self._connection.in_transaction:
            self._attached.clear()
            self._session.attached.clear()

    def _columns(self, place: str, name: str) -> dict[str, str]:
        rows = self.connection.execute("SELECT name, type FROM pragma_table_info(?, ?)", (name, place))
        return dict(rows)

    def _is_current(self, database: str) -> bool:
        return database.lower() in ("", self._session.database.lower())

    def _view(self, database: str, name: str, full_name: str) -> Table:
        if name not in VIEWS:
            raise SqlServerError(208, full_name)
        inner = f"sys.{name}" if self._is_current(database) else f"{database.lower()}.sys.{name}"
        if inner not in self._views:
            rows = self._rows_of_view(database, name)
            self.connection.execute(f'CREATE TEMP TABLE "{inner}" ({sqlite_columns(VIEWS[name].columns)})')
            self._views.add(inner)
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                self.connection.executemany(f'INSERT INTO temp."{inner}" VALUES ({marks})', rows)  # noqa: S608
        return Table("temp", inner, self._columns("temp", inner))

    def _rows_of_view(self, database: str, name: str) -> list[tuple[object, ...]]:
        """What a sys view shows of a database, or of the server."""
        if self._is_current(database):
            return list(VIEWS[name].rows(self._instance, self._session, self.connection))
        self._attach(database)  # the session is in it now, if it may
        connection = open_file(self._instance.databases.get(database))
        try:
            return list(VIEWS[name].rows(self._instance, self._session, connection))
        finally:
            connection.close(True)

    def _attach(self, name: str) -> str:
        key = name.lower()
        if key not in self._attached:
            with self._instance.databases.lock:
                database = self._instance.databases.readable(name)
                permissions.check_entry(self._instance, self._session, database)
                self._instance.check_place(self._session, database)
                self._session.attached.add(key)
            self._instance.logs.of(database.name)
            place = f"database {database.id}"
            self.connection.execute("ATTACH ? AS ?", (database.data_file, place))
            self._attached[key] = place
        return self._attached[key]

    def _database_at(self, place: str) -> str:
        """The name of the database that is `main` or attached under that alias."""
        return next((name for name, alias in self._attached.items() if alias == place), self._session.database)

    def _look_up(self) -> bool:
        self._check()
        return False

    def _wait_for_lock(self, attempts: int) -> bool:
        """Another session is writing: wait for as long as the client does, as SQL Server does by default."""
        self._check()
        time.sleep(min(0.002 * (attempts + 1), 0.05))
        return True
