"""Making a database of files copied from a snapshot of its volume.

Such files are as a power cut would have left them: the server recovers what had been committed when it attaches them.
They are attached under a name that nobody knows and checked there, before anything that stands is touched.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from include.rules.errors import PartError, RefusedError
from include.rules.restore.database_survey import Need
from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.access import claim, let_users_in_after_failure, open_again, run_alone
from perennial.hooks.sql_server.databases import ONLINE, refusal_error, survey
from perennial.hooks.sql_server.drop import drop_database
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.needs import check_may
from perennial.hooks.sql_server.session import Session

SECOND_LOOK = 10.0
"""Seconds after which attached files that seem damaged are checked again."""


def attach_beside(session: Session, database: str, files: Sequence[str], scratch: str) -> None:
    """Attach `files` as the database `scratch` and check them there; `database`, if there is one, stays as it is.

    May be begun again after a crash at any point, and does nothing once `put_in_place` has done its part.

    Args:
        files: Physical paths as the server sees them, the primary data file first, all of the database's.
        scratch: A name that no other database has.

    Raises:
        DamagedBackupError: when the files are damaged; they are dropped.
        PartError: when SQL Server refuses for another reason.
        RefusedError: when `scratch` is another database, or another restore is at work on `database`.
        SqlServerError: when the connection was lost: the conversation may be begun again.
    """
    claim(session, database)
    if not survey(session, database).is_made_of(files):
        _attach_and_check(session, scratch, files, f"Database {database} was not touched.")


def put_in_place(session: Session, database: str, files: Sequence[str], scratch: str) -> None:
    """Let `scratch`, which `attach_beside` has made of `files`, take the place of `database`, if there is one.

    May be begun again after a crash at any point. Between the end of the old database and the new one's taking its
    name nobody can connect. Arguments are those of `attach_beside`.

    Raises:
        PartError: when `scratch` is not there, or SQL Server refuses; the message says which database is where.
        RefusedError: when another restore is at work on `database`, or the login may not drop it.
        SqlServerError: when the connection was lost: the conversation may be begun again.
    """
    claim(session, database)
    facts = survey(session, database)
    if not facts.is_made_of(files):
        if not is_online(session, scratch, files):
            raise PartError(
                f"Database {scratch}, made of the files of the snapshot, is not there, or not online.",
                why=f"Nothing can take the place of database {database}, which is left as it is.",
                todo="Begin the restore again: it makes it anew.",
            )
        if facts.state:
            check_may(session, database, Need.REPLACE)
        try:
            drop_database(session, database)
            run_alone(session, tsql.rename_database(scratch, database), scratch)
        except SqlServerError as error:
            access = let_users_in_after_failure(session, database)
            raise refusal_error(
                error,
                f"The files of the snapshot could not take the place of database {database}: {error}",
                why=f"They are sound, and attached as database {scratch}. {access}",
                todo=f"{error.advice}, then begin the restore again: it goes on from here.",
            ) from error
    open_again(session, database)


def is_online(session: Session, database: str, files: Sequence[str]) -> bool:
    """True when there is such a database, made of these files, and it is online."""
    facts = survey(session, database)
    return facts.state == ONLINE and facts.is_made_of(files)


def attach_as_new(session: Session, database: str, files: Sequence[str]) -> None:
    """Make `files` a database of a name that is free.

    Arguments and errors are those of `attach_beside`; nothing that stands is touched.
    """
    claim(session, database)
    _attach_and_check(session, database, files, "No other database was touched.")
    open_again(session, database)


def _attach_and_check(session: Session, database: str, files: Sequence[str], untouched: str) -> None:
    """Attach the files unless an earlier attempt has, and run DBCC CHECKDB; drops them when it finds errors."""
    facts = survey(session, database)
    if facts.state and not facts.is_made_of(files):
        raise RefusedError(
            f"There is a database {database} already, and it is not made of the files from the snapshot.",
            why=f"It would be lost. {untouched}",
            todo="Choose a name that is free, or drop that database first.",
        )
    try:
        if not facts.state:
            session.run(tsql.attach_database(database, files))
    except SqlServerError as error:
        raise refusal_error(
            error,
            f"The files from the snapshot could not be attached as database {database}: {error}",
            why=untouched,
            todo=f"{error.advice} and copy the files again, or restore from the backup file.",
        ) from error
    try:
        _check_twice(session, database)
    except SqlServerError as error:
        if error.is_corruption:
            drop_database(session, database)
        raise _check_error(database, error, untouched) from error


def _check_twice(session: Session, database: str) -> None:
    """Run DBCC CHECKDB; errors are believed when a second look finds them, too: a disk may have had a bad moment."""
    try:
        session.run(tsql.check_database(database))
    except SqlServerError as error:
        if not error.is_corruption:
            raise
        time.sleep(SECOND_LOOK)
        session.run(tsql.check_database(database))


def _check_error(database: str, error: SqlServerError, untouched: str) -> PartError | SqlServerError:
    """What to raise when the check of the attached files did not succeed; damaged ones were dropped."""
    what = f"The files from the snapshot, attached as database {database}, did not pass their check: {error}"
    if error.is_corruption:
        todo = "Restore from the backup file, or from another recovery point."
        return refusal_error(error, what, why=f"They are damaged and were dropped. {untouched}", todo=todo)
    todo = f"{error.advice}, then begin the restore again: it goes on from here."
    return refusal_error(error, what, why=f"They are attached still. {untouched}", todo=todo)
