"""SQL Server through Airflow's MsSqlHook: statements that may run for hours, and the errors they end with.

pymssql blocks, so every conversation runs in a thread of its own. A conversation is one connection: locks, SINGLE_USER
and the statement that needs them belong to the same session.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pymssql
from airflow.providers.microsoft.mssql.hooks.mssql import MsSqlHook
from airflow.sdk import Connection
from asgiref.sync import sync_to_async

from include.rules.errors import ConfigurationError
from perennial.hooks.asynchronous import run_in_thread
from perennial.hooks.sql_server import tsql

log = logging.getLogger(__name__)

Result = TypeVar("Result")
Row = dict[str, Any]

DAMAGE = frozenset({3132, 3183, 3187, 3189, 3203, 3227, 3241, 3242, 3243, 3254, 3256, 3258, 3266, 3270})
"""Numbers by which SQL Server says that a backup is not whole, or that its stripes do not belong together
(learn.microsoft.com, Database Engine errors)."""

CORRUPTION = frozenset(
    {605, 823, 824, 3313, 3414, 3456, 5171, 5172, 5173, 9003, 9004}
    | {*range(2508, 2580), *range(7984, 7999), *range(8901, 9000)} - {8921}
)
"""Numbers by which SQL Server says that a database's own files are damaged: when it reads, recovers or checks them.

8921 is not among them: a check ends with it when tempdb is full, too (same source).
"""

CONNECTION = frozenset({20002, 20003, 20004, 20006, 20009, 20017, 20047, 233, 596, 6005, 10054})
"""Numbers by which the client or the server says that the connection is gone: the statement may have ended or not."""


INFORMATION = 10
"""Messages up to this severity are no errors: progress, and what was done."""


class SqlServerError(Exception):
    """SQL Server's answer to a statement it refused: `number` of its first error, `message` in its own words."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(number, message)
        self.number, self.message = number, message

    def __str__(self) -> str:
        return f"SQL Server error {self.number}: {self.message}"

    @property
    def is_damage(self) -> bool:
        """True when the backup file itself is at fault."""
        return self.number in DAMAGE

    @property
    def is_corruption(self) -> bool:
        """True when a database's own files are at fault."""
        return self.number in CORRUPTION

    @property
    def lost_connection(self) -> bool:
        """True when nobody knows whether the statement ended."""
        return self.number in CONNECTION

    @classmethod
    def of(cls, error: Exception, told: Sequence[str] = ()) -> SqlServerError:
        """Read pymssql's exception: a number, and a text with DB-Lib's remarks glued on.

        Args:
            told: The texts of the errors that the server sent, in order. pymssql raises the severest: where the cause
                is a milder one (a missing right, 262 or 3110), all it says is that the statement ended abnormally.
        """
        details = error.args[0] if len(error.args) == 1 and isinstance(error.args[0], tuple) else error.args
        number, text = (details[0], details[1]) if len(details) >= 2 else (0, details[0] if details else str(error))
        if isinstance(text, bytes):
            text = text.decode(errors="replace")
        if of_client := re.match(r"DB-Lib error message (\d+)", str(text)):
            # No server has spoken: the number beside the text is the last one of some earlier connection.
            number = of_client[1]
        # The first line of the text is the server's first error; what follows repeats it in DB-Lib's words.
        message = re.split(r"DB-Lib error message", str(text))[0].strip() or str(text).strip()
        if told and told[0] not in message:
            message = f"{told[0]} {message}"
        return cls(int(number) if str(number).lstrip("-").isdigit() else 0, message)


@dataclass(frozen=True)
class Session:
    """One open connection, in autocommit (BACKUP and RESTORE refuse to run inside a transaction)."""

    connection: Any
    abandoned: threading.Event
    told: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Hear every error that the server sends, not only the one that pymssql raises."""

        def hear(_state: int, severity: int, _server: object, _procedure: object, _line: int, text: bytes) -> None:
            if severity > INFORMATION:
                self.told.append(text.decode(errors="replace").strip())

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
        self.told.clear()
        try:
            with self.connection.cursor(as_dict=True) as cursor:
                cursor.execute(statement)
                rows: list[Row] = cursor.fetchall() if cursor.description else []
                # A late error comes after the first result: without asking for the next one it would be lost.
                while cursor.nextset():
                    rows = cursor.fetchall() if cursor.description else rows
                return rows
        except pymssql.Error as error:
            raise SqlServerError.of(error, self.told) from error


class SqlServer:
    """One SQL Server, reached by an Airflow connection of type mssql.

    Args:
        conn_id: The connection. Perennial works in `master`; the connection's own schema is not used.
        program: How the sessions call themselves (`program_name` on the server), at most 128 characters.
    """

    def __init__(self, conn_id: str, program: str = "perennial") -> None:
        self.conn_id, self.program = conn_id, program[:128]

    async def talk(self, conversation: Callable[[Session], Result], *, pauses: Iterable[float] = ()) -> Result:
        """Open a connection in a thread, hand it to `conversation`, close it, and return what that returned.

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
        """Run one statement on a connection of its own and return its rows; `pauses` as in `talk`."""
        return await self.talk(lambda session: session.run(statement), pauses=pauses)

    async def _talk_once(self, conversation: Callable[[Session], Result]) -> Result:
        connection, abandoned = await self._airflow_connection(), threading.Event()

        def call() -> Result:
            try:
                opened = MsSqlHook(mssql_conn_id=self.conn_id, schema="master", connection=connection).get_conn()
            except pymssql.Error as error:
                raise SqlServerError.of(error) from error
            with opened:
                opened.autocommit(True)
                session = Session(opened, abandoned)
                session.listen()
                return conversation(session)

        try:
            return await run_in_thread(call, label=f"{self.conn_id} {self.program}")
        except asyncio.CancelledError:
            abandoned.set()
            raise

    async def sessions_of(self, program: str) -> list[Row]:
        """Sessions of another client: `session_id`, and `percent_complete` of what it runs (None when idle)."""
        return await self.run(tsql.running_sessions(program))

    async def kill_sessions_of(self, program: str) -> int:
        """End the sessions of another client; returns how many there were."""
        sessions = {int(row["session_id"]) for row in await self.sessions_of(program)}
        for session_id in sessions:
            try:
                await self.run(tsql.kill(session_id))
            except SqlServerError as error:
                if error.number != 6106:  # not an active process id: it has just ended by itself
                    raise
        return len(sessions)

    async def _airflow_connection(self) -> Connection:
        try:
            found = await sync_to_async(MsSqlHook.get_connection)(self.conn_id)
        except Exception as error:
            raise ConfigurationError(
                f"Airflow has no connection {self.conn_id!r} for SQL Server: {error}.",
                why="The database server cannot be reached.",
                todo="Create it (type mssql, with host, port, login and password), or correct the tenant's entry.",
            ) from error
        extra = {"login_timeout": 15, **found.extra_dejson, "appname": self.program}
        return Connection(
            conn_id=self.conn_id,
            conn_type="mssql",
            host=found.host,
            login=found.login,
            password=found.password,
            port=found.port or 1433,
            extra=json.dumps(extra),
        )
