"""Restoring a backup: over the database itself, or as another one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from include.rules.errors import RefusedError
from include.rules.restore.database_identity import RESTORING
from include.rules.restore.database_places import (
    Folders,
    database_places,
    folders_of,
    folders_to_try,
    named_after,
    places_left,
)
from include.rules.restore.database_survey import Need
from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.access import claim, let_users_in_after_failure, open_again, take_offline
from perennial.hooks.sql_server.databases import OFFLINE, refusal_error, state_of, survey
from perennial.hooks.sql_server.drop import drop_database
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.needs import check_may
from perennial.hooks.sql_server.session import Session
from perennial.hooks.sql_server.volumes import gone_folders

FILE_EXISTS = 3142
"""Number by which SQL Server says that a file is in the way that belongs to no database."""

NO_FOLDER = 5133
"""Number by which SQL Server says that a folder, or the drive that it was on, is not there."""

STRAY_FILES = 20
"""How many files may be in the way before a restore gives up."""


def check_readable(session: Session, urls: Sequence[str]) -> None:
    """Make sure that the backup can be opened at all, before anything that stands is touched.

    Raises:
        DamagedBackupError, PartError, SqlServerError: as `restore_over`; nothing was touched.
    """
    try:
        session.run(tsql.file_list(urls))
    except SqlServerError as error:
        raise refusal_error(
            error,
            f"The backup cannot be read: {error}",
            why="No database was touched.",
            todo=_advice(error),
        ) from error


def restore_over(
    session: Session,
    database: str,
    urls: Sequence[str],
    *,
    stem: str,
    home: Sequence[Folders] = (),
    keep_cdc: bool = False,
) -> None:
    """Restore a backup over `database`: there, offline, suspect, left over from a broken restore, or not at all.

    Everybody is kept out while it lasts and let in again whatever happens. Files that the database has no place for
    get names of their own: the server would overwrite whatever has the name, also a file that no database owns.

    Args:
        urls: The backup's files, all its stripes.
        stem: What new files are named after; nobody else's are.
        home: Where files belong that the database has no folder for.
        keep_cdc: True to keep change data capture.

    Raises:
        DamagedBackupError: when the backup cannot be restored because it is damaged.
        PartError: when SQL Server refuses for another reason.
        RefusedError: when another restore is at work on the database, or the login may not go through with it.
        SqlServerError: when the connection was lost: the conversation may be begun again.
    """
    claim(session, database)
    state = state_of(session, database)[0]
    if state:
        check_may(session, database, Need.RESTORE_OVER)
    try:
        take_offline(session, database)
        _restore(session, database, urls, stem=stem, home=home, keep_cdc=keep_cdc)
    except SqlServerError as error:
        if error.lost_connection:
            raise
        access = let_users_in_after_failure(session, database, unless_offline=state == OFFLINE)
        raise refusal_error(
            error,
            f"Database {database} was not restored: {error}",
            why=access,
            todo=_advice(error),
        ) from error
    open_again(session, database)


def restore_as_new(session: Session, database: str, urls: Sequence[str], *, stem: str, keep_cdc: bool = False) -> None:
    """Restore a backup as a new database, whose files get names of their own; nothing that exists is overwritten.

    Args:
        urls: The backup's files, all its stripes.
        stem: What its files are named after, and nobody else's. A database made of such files is an earlier attempt
            of this very restore, and is dropped first; its name alone says nothing, anybody may have made it.
        keep_cdc: True to keep change data capture.

    Raises:
        RefusedError: when a database of that name exists and is not this restore's, or another restore is at work.
        DamagedBackupError, PartError, SqlServerError: as `restore_over`.
    """
    claim(session, database)
    facts = survey(session, database)
    if facts.state and not named_after(stem, facts.files.values()):
        raise RefusedError(
            f"There is a database {database} already; it is {facts.state}, and not of this restore's making.",
            why="A restore under another name never overwrites; nothing was restored.",
            todo="Choose a name that is free, or drop that database first.",
        )
    try:
        drop_database(session, database)
        _restore(session, database, urls, stem=stem, keep_cdc=keep_cdc)
    except SqlServerError as error:
        if error.lost_connection:
            raise
        with suppress(SqlServerError):
            if state_of(session, database)[0] == RESTORING:  # half a database is of no use to anybody
                drop_database(session, database)
        raise refusal_error(
            error,
            f"Database {database} was not restored: {error}",
            why="No other database was touched.",
            todo=_advice(error),
        ) from error
    open_again(session, database)


def drop_half_restored(session: Session, database: str, *, stem: str) -> bool:
    """Drop what a `restore_as_new` with that `stem` has left RESTORING: it is of no use to anybody.

    Returns True when a database that was made with that `stem`, and has come back whole, is still there.
    """
    facts = survey(session, database)
    if not named_after(stem, facts.files.values()):
        return False
    if facts.state == RESTORING:
        drop_database(session, database)
    return facts.state != RESTORING


def _restore(
    session: Session,
    database: str,
    urls: Sequence[str],
    *,
    stem: str,
    keep_cdc: bool,
    home: Sequence[Folders] = (),
) -> None:
    """Restore to the database's own files where it has them, to new ones where not; nobody is in it any more."""
    facts = survey(session, database)
    files = session.run(tsql.file_list(urls))
    paths_in_use = [str(row["physical_name"]) for row in session.run(tsql.files_of_others(database))]
    gone = gone_folders(session, facts.folders, known=facts.limits.folders[-1].data)
    choices = (*(folders_of(facts.described) or home), *facts.limits.folders)
    present, folders = places_left(facts.files, gone), folders_to_try(choices, gone)
    for tries_left in reversed(range(STRAY_FILES)):
        places = database_places(stem, files, present, paths_in_use, folders[0])
        try:
            session.run(tsql.restore_database(database, urls, places, replace=facts.state != "", keep_cdc=keep_cdc))
            return
        except SqlServerError as error:
            if error.number == NO_FOLDER and present:
                present = {}  # a drive that nobody could ask about: nothing was written, all go to the server's folders
            elif error.number == NO_FOLDER and len(folders) > 1:
                folders = folders[1:]
            elif error.number == FILE_EXISTS and tries_left:
                # A file of no database, as a dropped offline one leaves it: somebody may still want it.
                paths_in_use += places.values()
            else:
                raise


def _advice(error: SqlServerError) -> str:
    if error.is_damage or error.is_corruption:
        return "Restore the database from the snapshot of its volume, or from another recovery point."
    return f"{error.advice}, then begin the restore again."
