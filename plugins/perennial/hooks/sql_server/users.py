"""Users of a restored database whom no login of the server belongs to, as after a restore on another server."""

from __future__ import annotations

from dataclasses import dataclass

from perennial.hooks.sql_server import tsql
from perennial.hooks.sql_server.rights import SEES_LOGINS, missing_rights
from perennial.hooks.sql_server.session import Session


@dataclass(frozen=True)
class OrphanedUser:
    """A user of a database who cannot sign in.

    Attributes:
        name: Of the user.
        login: The server's login of the same name; None when there is none.
        remedy: The statement that lets the user in again. Where a login has to be made, its password is left open.
    """

    name: str
    login: str | None
    remedy: str


def orphaned_users(session: Session, database: str) -> tuple[OrphanedUser, ...] | None:
    """Users of an online database whose `sid` no login has; not the built-in ones, nor those without a login.

    None when nobody can know: to a login without VIEW ANY DEFINITION those of others look as if they were not there.
    """
    if missing_rights(session, database, (SEES_LOGINS,)):
        return None
    orphans = session.run(tsql.orphaned_users(database))
    logins = {str(row["name"]).casefold(): str(row["name"]) for row in session.run(tsql.logins())}
    return tuple(
        _orphan(database, str(row["name"]), bytes(row["sid"]), logins.get(str(row["name"]).casefold()))
        for row in orphans
    )


def _orphan(database: str, user: str, sid: bytes, login: str | None) -> OrphanedUser:
    # With the user's own sid, a new login belongs to all its users of all databases at once.
    remedy = tsql.map_user(database, user, login) if login else tsql.create_login(user, sid)
    return OrphanedUser(user, login, remedy)
