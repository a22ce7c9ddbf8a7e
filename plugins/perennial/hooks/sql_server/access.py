"""Who may be in a database: one restore at a time, nobody else while it lasts, and everybody again after it."""

from __future__ import annotations

import time
from contextlib import suppress

from include.rules.errors import PartError, RefusedError
from perennial.hooks import waits
from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.databases import EMERGENCY, MULTI_USER, OFFLINE, ONLINE, state_of
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.faults import IN_USE
from perennial.hooks.sql_server.session import Session

PUT_OUT_PAUSE = 0.25
"""Seconds between two tries of a statement that needs a database to itself."""


def claim(session: Session, database: str) -> None:
    """Keep the database to this connection among all of Perennial's, for as long as it lasts.

    Raises:
        RefusedError: when another restore of the database does not end within RESTORE_LOCK.
    """
    lock = f"{tsql.RESTORE_LOCK_PREFIX}{database.casefold()}"
    if session.run(tsql.take_lock(lock, seconds=int(waits.RESTORE_LOCK.seconds)))[0]["granted"] < 0:
        raise RefusedError(
            f"Another restore is at work on database {database}.",
            why="Two at once would undo each other's work; this one has touched nothing.",
            todo="Wait for the other one to end, or mark its run as failed, then begin again.",
        )


def run_alone(session: Session, statement: str, database: str) -> None:
    """Run a statement that needs `database` to itself; whoever is in it all the same loses the connection.

    WITH ROLLBACK IMMEDIATE puts nobody out of a database in single-user mode, and a client that connects again at once
    may take the only place before the next statement does.
    """
    end = time.monotonic() + waits.USERS_OUT.seconds
    while True:
        try:
            session.run(statement)
            return
        except SqlServerError as error:
            if error.number not in IN_USE or time.monotonic() >= end:
                raise
        time.sleep(PUT_OUT_PAUSE)
        for row in session.run(tsql.sessions_inside(database)):
            session.kill(int(row["session_id"]))


def take_offline(session: Session, database: str) -> None:
    """Put everybody out and keep them out. SINGLE_USER would leave one place, and any client could slip into it.

    A database that is neither online nor in emergency mode has nobody in it and is left as it is.
    """
    if state_of(session, database)[0] in (ONLINE, EMERGENCY):
        run_alone(session, tsql.set_access(database, tsql.OFFLINE), database)


def let_users_in(session: Session, database: str) -> str:
    """Bring the database back to where its users can work; returns a sentence when it cannot be."""
    if state_of(session, database)[0] == OFFLINE:
        # Whatever the server has against it shows in the state.
        try_to_run(session, tsql.set_access(database, tsql.ONLINE))
    state, access = state_of(session, database)
    if state != ONLINE:
        return f"Database {database} is {state or 'not there'}."
    if access != MULTI_USER:
        run_alone(session, tsql.set_access(database, tsql.MULTI_USER), database)
    return ""


def open_again(session: Session, database: str) -> None:
    """Let users into a database that has come back.

    Raises:
        PartError: when it cannot be opened.
    """
    shut = let_users_in(session, database)
    if shut:
        raise PartError(
            f"{shut} It has come back, and SQL Server does not open it.",
            why="Its users cannot work with it.",
            todo="See SQL Server's error log for the reason, then begin the restore again.",
        )


def try_to_run(session: Session, statement: str) -> None:
    """Run a statement that the server may refuse; only a lost connection is an error."""
    try:
        session.run(statement)
    except SqlServerError as error:
        if error.lost_connection:
            raise


def let_users_in_after_failure(session: Session, database: str, *, unless_offline: bool = False) -> str:
    """After a failure, let users in if that is possible; returns a sentence on what they find.

    Args:
        unless_offline: True for a database that was offline before: somebody may want it so.
    """
    with suppress(SqlServerError):  # the first error is the one to report
        if unless_offline and state_of(session, database)[0] == OFFLINE:
            return f"Database {database} is {OFFLINE}."
        return let_users_in(session, database) or f"Database {database} is online and open to its users."
    return f"Nobody knows the state of database {database}."
