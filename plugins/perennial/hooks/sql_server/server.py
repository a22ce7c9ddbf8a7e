"""One SQL Server through Airflow's MsSqlHook: conversations, each in a thread of its own, because pymssql blocks."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeVar

import pymssql
from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook
from airflow.sdk import Connection

from include.rules.errors import PerennialError
from perennial.hooks import waits
from perennial.hooks.asynchronous import Fence, run_in_thread
from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.connections import is_same, look_up, with_defaults
from perennial.hooks.sql_server.errors import HUNG_UP, UNNAMED, SqlServerError, may_pass
from perennial.hooks.sql_server.refused_login import why_refused
from perennial.hooks.sql_server.session import KeptSession, Row, Session

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class SqlServer:
    """One SQL Server, reached by an Airflow connection of type mssql.

    Args:
        conn_id: The connection. Perennial works in `master`; the connection's own schema is not used.
        program: How the sessions call themselves (`program_name` on the server), at most 128 characters.
        fence: Asked before each conversation, those that are begun again too; raises when nobody may act any more.
        fresh: Whether Airflow is asked for the connection each time: for whoever looks whether it is right by now.
    """

    def __init__(
        self, conn_id: str, program: str = "perennial", fence: Fence | None = None, *, fresh: bool = False
    ) -> None:
        self.conn_id, self.program, self._fence, self._fresh = conn_id, program[:128], fence, fresh
        self._kept: KeptSession | None = None

    async def talk(self, conversation: Callable[[Session], Result], *, pauses: Iterable[float] = ()) -> Result:
        """Open a connection in a thread, hand it to `conversation`, close it, and return what that returned.

        Within `one_session` the connection is that of the conversation before, and stays open for the next.

        Args:
            pauses: Seconds to wait before each new beginning after a lost connection or another error that may pass;
                only for a conversation that may be repeated.

        Raises:
            SqlServerError: when the server cannot be reached or refuses a statement.
            ConfigurationError: when Airflow has no such connection.
        """
        for pause in pauses:
            try:
                return await self._talk_once(conversation)
            except (SqlServerError, PerennialError) as error:
                if not may_pass(error):
                    raise
                log.warning("%s Trying again in %.0f s.", error, pause)
                waits.note(f"another try, after {error}")
            await asyncio.sleep(pause)
        return await self._talk_once(conversation)

    async def run(self, statement: str, *, pauses: Iterable[float] = ()) -> list[Row]:
        """Run one statement as a conversation and return its rows; `pauses` as in `talk`."""
        return await self.talk(lambda session: session.run(statement), pauses=pauses)

    @asynccontextmanager
    async def one_session(self) -> AsyncIterator[None]:
        """Let the conversations of the block follow each other on one connection; a login costs more than most of them.

        They leave it in `master`. What a conversation locks it keeps until the end of the block. After an error, a lost
        connection or a cancelled conversation the next one opens a new connection. A block within a block is the same.
        """
        if self._kept:
            yield
            return
        self._kept = kept = KeptSession()
        try:
            yield
        finally:
            self._kept = None
            await run_in_thread(kept.close, label=f"close {self.conn_id}")

    async def _talk_once(self, conversation: Callable[[Session], Result]) -> Result:
        if self._fence:
            await self._fence()
        waits.note(f"an answer of SQL Server {self.conn_id} (session {self.program})")
        kept = self._kept
        waiting = kept.take() if kept else None
        if waiting is None:
            return await self._talk_anew(conversation, await look_up(self.conn_id, fresh=self._fresh))
        return await self._talk_in(lambda _: waiting, conversation, waiting.abandoned)

    async def _talk_anew(self, conversation: Callable[[Session], Result], configured: Connection) -> Result:
        """Open a connection for a conversation; where it does not serve, and Airflow has another one since, by that."""

        def open_session(abandoned: threading.Event) -> Session:
            return self._open(with_defaults(configured, self.program), abandoned)

        try:
            return await self._talk_in(open_session, conversation, threading.Event())
        except _NotOpenError as refused:
            if is_same(await look_up(self.conn_id, unlike=configured), configured):
                raise refused.error from refused.error.__cause__
        return await self._talk_once(conversation)

    async def _talk_in(
        self,
        open_session: Callable[[threading.Event], Session],
        conversation: Callable[[Session], Result],
        abandoned: threading.Event,
    ) -> Result:
        kept = self._kept

        def call() -> Result:
            try:
                session = open_session(abandoned)
            except SqlServerError as error:
                raise _NotOpenError(error) from error
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

    def _open(self, connection: Connection, abandoned: threading.Event) -> Session:
        hook = MsSqlHook(mssql_conn_id=self.conn_id, schema="master", connection=connection)
        try:
            pymssql_connection = hook.get_conn()
        except pymssql.Error as error:
            raise _login_error(error, connection) from error
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


class _NotOpenError(Exception):
    """No connection could be opened, and nothing was said on it."""

    def __init__(self, error: SqlServerError) -> None:
        super().__init__(str(error))
        self.error = error


def _login_error(error: pymssql.Error, connection: Connection) -> SqlServerError:
    refusal = SqlServerError.of(error)
    if refusal.number != UNNAMED:
        return refusal
    known = why_refused(
        {
            "server": connection.host,
            "user": connection.login,
            "password": connection.password,
            "port": str(connection.port),
            "database": "master",
            **{name: value for name, value in connection.extra_dejson.items() if name != "sqlalchemy_scheme"},
        }
    )
    return SqlServerError.of(known) if known else SqlServerError(HUNG_UP, "The login was refused, and is not any more.")
