"""Whether a login may do what a restore needs: asked in the preview, and again before anything is taken offline."""

from __future__ import annotations

from collections.abc import Mapping

from include.rules.errors import RefusedError
from include.rules.restore.database_survey import Need
from perennial.hooks.sql_server.rights import ENDS_SESSIONS, RESTORES, Right, held, missing_rights
from perennial.hooks.sql_server.session import Session

CREATES = Right(
    "CREATE ANY DATABASE",
    "restoring and attaching databases of new names",
    "GRANT CREATE ANY DATABASE TO <login>",
    held("CREATE ANY DATABASE"),
)
REPLACES = Right(
    "ALTER ANY DATABASE",
    "dropping a database for which another one stands ready",
    "GRANT ALTER ANY DATABASE TO <login>",
    f"CASE WHEN {held('ALTER ANY DATABASE')} = 1 "
    "OR HAS_PERMS_BY_NAME({quoted}, N'DATABASE', N'CONTROL') = 1 THEN 1 ELSE 0 END",
)

RIGHTS: Mapping[Need, Right] = {
    Need.CREATE: CREATES,
    Need.RESTORE_OVER: RESTORES,
    Need.REPLACE: REPLACES,
    Need.PUT_OUT: ENDS_SESSIONS,
}


def lacking(session: Session, database: str) -> dict[Need, str]:
    """What the session's login may not do to `database`, and the statement that would let it."""
    missing = missing_rights(session, database, RIGHTS.values())
    return {need: right.grant for need, right in RIGHTS.items() if right in missing}


def check_may(session: Session, database: str, need: Need) -> None:
    """Make sure that the login may go through with what is about to begin.

    Raises:
        RefusedError: when it may not: a database that it has taken offline it could not bring back.
    """
    grant = lacking(session, database).get(need)
    if grant:
        raise RefusedError(
            f"The connection's login may not {need} ({database}).",
            why="Begun all the same, it would leave the database where nobody can use it; it was not touched.",
            todo=f"Run {grant}, then begin the restore again.",
        )
