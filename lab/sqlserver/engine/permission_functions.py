"""The T-SQL functions by which a login asks who it is and what it may do.

https://learn.microsoft.com/sql/t-sql/functions/has-perms-by-name-transact-sql
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.sqlserver.engine import permissions
from lab.sqlserver.engine.instance import Instance
from lab.sqlserver.engine.sessions import Session

_BY_DATABASE_ROLES = {
    "CONTROL": {"db_owner"},
    "ALTER": {"db_owner"},
    "TAKE OWNERSHIP": {"db_owner"},
    "BACKUP DATABASE": {"db_owner", "db_backupoperator"},
}


def permission_functions(instance: Instance, session: Session) -> dict[str, tuple[Callable[..., Any], int]]:
    """Each function by its name, with how many arguments it takes (-1: any number)."""
    return {
        "HAS_PERMS_BY_NAME": (lambda *asked: _has_permission(instance, session, *asked), 3),
        "IS_SRVROLEMEMBER": (lambda role: _is_member(instance, session, role), 1),
        "SUSER_SID": (lambda *name: _sid(instance, str(name[0]) if name else session.login), -1),
        "SUSER_SNAME": (lambda *sid: _name(instance, session, *sid), -1),
    }


def _has_permission(
    instance: Instance, session: Session, securable: str | None, kind: str | None, permission: str
) -> int | None:
    """1 or 0; NULL for what it does not know, and for a database that is not open."""
    login = permissions.login_of(instance, session)
    if securable is None and kind is None:
        return int(login.may(permission.upper()))
    if str(kind).upper() != "DATABASE":
        return None
    database = instance.databases.find(_unquoted(str(securable)))
    roles = _BY_DATABASE_ROLES.get(permission.upper())
    if database is None or database.state != "ONLINE" or roles is None:
        return None
    if permission.upper() == "ALTER" and login.may("ALTER ANY DATABASE"):
        return 1
    return int(bool((permissions.roles(instance, login, database) or set()) & roles))


def _is_member(instance: Instance, session: Session, role: str) -> int:
    login = permissions.login_of(instance, session)
    return int(role.lower() in login.roles)


def _sid(instance: Instance, name: str) -> bytes | None:
    login = instance.logins.find(name)
    return bytes.fromhex(login.sid) if login else None


def _name(instance: Instance, session: Session, sid: bytes | None = None) -> str | None:
    """The name of whoever has a SID, seen by everybody; without one, the session's own."""
    if sid is None:
        return session.login
    return next((login.name for login in instance.logins.all() if login.sid == sid.hex().upper()), None)


def _unquoted(name: str) -> str:
    return name[1:-1].replace("]]", "]") if name.startswith("[") and name.endswith("]") else name
