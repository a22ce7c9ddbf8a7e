"""A session of SQL Server: one connection, and the statements that run on it one after the other, for hours even.

Locks, SINGLE_USER and the statement that needs them belong to the same session.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pymssql

from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.errors import ServerMessage, SqlServerError

log = logging.getLogger(__name__)

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
    heard: list[ServerMessage] = field(default_factory=list)

    def listen(self) -> None:
        """Hear every error that the server sends, not only the one that pymssql raises."""

        def hear(_state: int, severity: int, _server: object, _procedure: object, _line: int, text: bytes) -> None:
            if severity > INFORMATION:
                self.heard.append(ServerMessage(severity, text.decode(errors="replace").strip()))

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
        self.heard.clear()
        try:
            with self.connection.cursor(as_dict=True) as cursor:
                cursor.execute(statement)
                rows: list[Row] = cursor.fetchall() if cursor.description else []
                # A late error comes after the first result: without asking for the next one it would be lost.
                while cursor.nextset():
                    rows = cursor.fetchall() if cursor.description else rows
                return rows
        except pymssql.Error as error:
            raise SqlServerError.of(error, self.heard) from error

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


class KeptSession:
    """Where a session waits between two conversations of a block; used by the block and by the threads that talk."""

    def __init__(self) -> None:
        self._lock, self._closed = threading.Lock(), False
        self._session: Session | None = None

    def take(self) -> Session | None:
        """The session that waits, if there is one; nobody else gets it meanwhile."""
        with self._lock:
            session, self._session = self._session, None
        if session and session.abandoned.is_set():  # cancelled in the moment in which its conversation ended
            session.close()
            return None
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
        session = self.take()
        if session:
            session.close()
