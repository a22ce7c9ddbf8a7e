"""SQL Server through Airflow's MsSqlHook: conversations on one connection, with statements that may run for hours.

pymssql blocks, so every conversation runs in a thread of its own. A conversation is one connection: locks, SINGLE_USER
and the statement that needs them belong to the same session.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pymssql
from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook
from airflow.sdk import Connection
from asgiref.sync import sync_to_async

from include.rules.errors import ConfigurationError
from perennial.hooks.asynchronous import run_in_thread
from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.errors import SqlServerError

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Row = dict[str, Any]

INFORMATION = 10
"""Messages up to this severity are no errors: progress, and what was done."""

NO_SUCH_SESSION = 6106
"""Number by which KILL says that there is no such session any more."""


@dataclass(frozen=True)
class Session:
    """One open connection, in autocommit (BACKUP and RESTORE refuse to run inside a transaction)."""

    connection: Any
    abandoned: threading.Event
    server_messages: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Hear every error that the server sends, not only the one that pymssql raises."""

        def hear(_state: int, severity: int, _server: object, _procedure: object, _line: int, text: bytes) -> None:
            if severity > INFORMATION:
                self.server_messages.append(text.decode(errors="replace").strip())

        self.connection._conn.set_msghandler(hear)

    def run(self, statement: str) -> list[Row]:
        """Run one statement to its very end and return the rows of its last result set.

        Raises:
            SqlServerError: with the first error that the server sent.
        """
        if self.abandoned.is_set():
            # The step was cancelled while its thread was connecting: whatever this would start, nobody would end.
            raise SqlServerError(0, "The step that wanted this statement was cancelled.")
        log.debug("SQL Server: %s", statement)
        self.server_messages.clear()
        try:
            with self.connection.cursor(as_dict=True) as cursor:
                cursor.execute(statement)
                rows: list[Row] = cursor.fetchall() if cursor.description else []
                # A late error comes after the first result: without asking for the next one it would be lost.
                while cursor.nextset():
                    rows = cursor.fetchall() if cursor.description else rows
                return rows
        except pymssql.Error as error:
            raise SqlServerError.of(error, self.server_messages) from error

    def kill(self, session_id: int) -> None:
        """End another session; one that has just ended by itself is as good."""
        try:
            self.run(tsql.kill(session_id))
        except SqlServerError as error:
            if error.number != NO_SUCH_SESSION:
                raise

    def close(self) -> None:
        """Close the connection; what belongs to it (locks, what still runs) ends with it."""
        with suppress(pymssql.Error):
            self.connection.close()


class _KeptSession:
    """Where a session waits between two conversations of a block; used by the block and by the threads that talk."""

    def __init__(self) -> None:
        self._lock, self._closed = threading.Lock(), False
        self._session: Session | None = None

    def take(self) -> Session | None:
        """The session that waits, if there is one; nobody else gets it meanwhile."""
        with self._lock:
            session, self._session = self._session, None
            return session

    def put(self, session: Session) -> None:
        """Let the session wait for the next conversation; closed when the block is over, or one waits already."""
        with self._lock:
            if not self._closed and self._session is None:
                self._session = session
                return
        session.close()

    def close(self) -> None:
        """The block is over."""
        with self._lock:
            self._closed = True
        if session := self.take():
            session.close()


class SqlServer:
    """One SQL Server, reached by an Airflow connection of type mssql.

    Args:
        conn_id: The connection. Perennial works in `master`; the connection's own schema is not used.
        program: How the sessions call themselves (`program_name` on the server), at most 128 characters.
    """

    def __init__(self, conn_id: str, program: str = "perennial") -> None:
        self.conn_id, self.program = conn_id, program[:128]
        self._kept: _KeptSession | None = None

    async def talk(self, conversation: Callable[[Session], Result], *, pauses: Iterable[float] = ()) -> Result:
        """Open a connection in a thread, hand it to `conversation`, close it, and return what that returned.

        Within `one_session` the connection is that of the conversation before, and stays open for the next.

        Args:
            pauses: Seconds to wait before each new beginning when the connection was lost; only for a conversation
                that may be repeated.

        Raises:
            SqlServerError: when the server cannot be reached or refuses a statement.
            ConfigurationError: when Airflow has no such connection.
        """
        for pause in pauses:
            try:
                return await self._talk_once(conversation)
            except SqlServerError as error:
                if not error.lost_connection:
                    raise
                log.warning("%s Trying again in %.0f s.", error, pause)
            await asyncio.sleep(pause)
        return await self._talk_once(conversation)

    async def run(self, statement: str, *, pauses: Iterable[float] = ()) -> list[Row]:
        """Run one statement as a conversation and return its rows; `pauses` as in `talk`."""
        return await self.talk(lambda session: session.run(statement), pauses=pauses)

    @asynccontextmanager
    async def one_session(self) -> AsyncIterator[None]:
        """Let the conversations of the block follow each other on one connection; a login costs more than most of them.

        They leave it in `master`. What a conversation locks it keeps until the end of the block. After an error, a lost
        connection or a cancelled conversation the next one opens a new connection.
        """
        self._kept = kept = _KeptSession()
        try:
            yield
        finally:
            self._kept = None
            await run_in_thread(kept.close, label=f"close {self.conn_id}")

    async def _talk_once(self, conversation: Callable[[Session], Result]) -> Result:
        kept = self._kept
        waiting = kept.take() if kept else None
        connection = None if waiting else await self._airflow_connection()
        abandoned = waiting.abandoned if waiting else threading.Event()

        def call() -> Result:
            session = waiting or self._open(connection, abandoned)
            try:
                result = conversation(session)
            except BaseException:
                session.close()  # nobody knows what the conversation has left in it
                raise
            if kept:
                kept.put(session)
            else:
                session.close()
            return result

        try:
            return await run_in_thread(call, label=f"{self.conn_id} {self.program}")
        except asyncio.CancelledError:
            abandoned.set()
            raise

    def _open(self, connection: Connection | None, abandoned: threading.Event) -> Session:
        try:
            pymssql_connection = MsSqlHook(
                mssql_conn_id=self.conn_id, schema="master", connection=connection
            ).get_conn()
        except pymssql.Error as error:
            raise SqlServerError.of(error) from error
        pymssql_connection.autocommit(True)
        session = Session(pymssql_connection, abandoned)
        session.listen()
        return session

    async def sessions_of(self, program: str) -> list[Row]:
        """Sessions of another client: `session_id`, and `percent_complete` of what it runs (None when idle)."""
        return await self.run(tsql.running_sessions(program))

    async def kill_sessions_of(self, program: str) -> int:
        """End the sessions of another client; returns how many there were."""

        def kill_all(session: Session) -> int:
            session_ids = {int(row["session_id"]) for row in session.run(tsql.running_sessions(program))}
            for session_id in session_ids:
                session.kill(session_id)
            return len(session_ids)

        return await self.talk(kill_all)

    async def _airflow_connection(self) -> Connection:
        try:
            configured = await sync_to_async(MsSqlHook.get_connection)(self.conn_id)
        except Exception as error:
            raise ConfigurationError(
                f"Airflow has no connection {self.conn_id!r} for SQL Server: {error}.",
                why="The database server cannot be reached.",
                todo="Create it (type mssql, with host, port, login and password), or correct the tenant's entry.",
            ) from error
        extra = {"login_timeout": 15, **configured.extra_dejson, "appname": self.program}
        return Connection(
            conn_id=self.conn_id,
            conn_type="mssql",
            host=configured.host,
            login=configured.login,
            password=configured.password,
            port=configured.port or 1433,
            extra=json.dumps(extra),
        )
