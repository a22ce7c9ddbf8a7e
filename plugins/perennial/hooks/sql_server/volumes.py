"""Where a server has room, and which folders are not there any more: asked of itself, believed where it can be."""

from __future__ import annotations

from collections.abc import Iterable

from include.rules.restore.database_places import off_all_drives
from perennial.hooks.sql_server import tsql_survey
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.session import Row, Session


def free_bytes(session: Session) -> dict[str, int] | None:
    """Free bytes by mount point, of the drives of the machine and of the volumes with the server's files.

    None when the server says nothing of either: it is too old, or the login may not see its state.
    """
    rows = [row for ask in (tsql_survey.fixed_drives, tsql_survey.volumes_in_use) for row in _run(session, ask())]
    return {str(row["mount"]): int(row["free_bytes"]) for row in rows} or None


def gone_folders(session: Session, folders: Iterable[str], *, known: str) -> frozenset[str]:
    """Those folders that are known not to be there; one that nobody can ask about is not among them.

    A server tells most logins that nothing exists: its answers count only when it sees what is certainly there. Which
    drives it has it tells more of them.

    Args:
        known: A folder with the server's own files.
    """
    asked = tuple(dict.fromkeys(folders))
    drives = [str(row["mount"]) for row in _run(session, tsql_survey.fixed_drives())]
    gone = off_all_drives(asked, drives, known)
    if _is_folder(session, known):
        gone |= {folder for folder in asked if not _is_folder(session, folder)}
    return frozenset(gone)


def _is_folder(session: Session, folder: str) -> bool:
    rows = _run(session, tsql_survey.file_exists(folder.rstrip("\\/") or folder))
    return bool(rows) and bool(rows[0]["File is a Directory"])


def _run(session: Session, statement: str) -> list[Row]:
    """Rows of a statement that the server may refuse; only a lost connection is an error."""
    try:
        return session.run(statement)
    except SqlServerError as error:
        if error.lost_connection:
            raise
        return []
