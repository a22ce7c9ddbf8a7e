"""What a session may do: the checks of SQL Server for what Perennial's logins do, with its numbers.

https://learn.microsoft.com/sql/relational-databases/security/authentication-access/database-level-roles
"""

from __future__ import annotations

from lab.sqlserver.engine.databases import Database, open_file
from lab.sqlserver.engine.instance import Instance
from lab.sqlserver.engine.principals import Login, users
from lab.sqlserver.engine.sessions import Session
from lab.sqlserver.errors import SqlServerError

_OPEN_TO_ALL = ("master", "tempdb", "msdb")


def login_of(instance: Instance, session: Session) -> Login:
    """The session's login; one that has been dropped meanwhile may do nothing: 18456."""
    login = instance.logins.find(session.login)
    if login is None:
        raise SqlServerError(18456, session.login)
    return login


def roles(instance: Instance, login: Login, database: Database) -> set[str] | None:
    """The login's roles in a database; None if it has no user there. Its owner is `dbo`, and so is an administrator."""
    if login.is_admin or login.sid == database.owner_sid:
        return {"db_owner"}
    connection = open_file(database)
    try:
        user_roles = next((roles_of_user for _, sid, roles_of_user in users(connection) if sid == login.sid), None)
    finally:
        connection.close(True)
    return set() if user_roles is None and database.name in _OPEN_TO_ALL else user_roles


def check_entry(instance: Instance, session: Session, database: Database) -> None:
    """Raises SqlServerError 916 for a database that the login has no user in."""
    login = login_of(instance, session)
    if roles(instance, login, database) is None:
        raise SqlServerError(916, login.name, database.name)


def check_server(instance: Instance, session: Session, permission: str, error: SqlServerError) -> None:
    """Raises `error` where the login lacks a permission on the server."""
    if not login_of(instance, session).may(permission):
        raise error


def check_backup(instance: Instance, session: Session, database: Database, what: str) -> None:
    """BACKUP is for db_owner and db_backupoperator: 262."""
    login_roles = roles(instance, login_of(instance, session), database)
    if not login_roles or not login_roles & {"db_owner", "db_backupoperator"}:
        raise SqlServerError(262, what, database.name)


def check_restore(instance: Instance, session: Session, name: str) -> None:
    """A new database needs the right to create one (262), an existing one a dbcreator or its owner (3110).

    Members of its role db_owner will not do: who they are is in the database, which may be damaged.
    """
    login = login_of(instance, session)
    existing = instance.databases.find(name)
    if existing is None:
        check_create(instance, session)
    elif not (login.is_admin or "dbcreator" in login.roles or existing.owner_sid == login.sid):
        raise SqlServerError(3110, name)


def check_create(instance: Instance, session: Session) -> None:
    """CREATE DATABASE, and reading what a backup says of itself: 262."""
    check_server(instance, session, "CREATE ANY DATABASE", SqlServerError(262, "CREATE DATABASE", "master"))


def check_checkdb(instance: Instance, session: Session, database: Database) -> None:
    """DBCC CHECKDB is for sysadmin and db_owner: 7983; 916 for who has no user in the database."""
    login = login_of(instance, session)
    check_entry(instance, session, database)
    if "db_owner" not in (roles(instance, login, database) or set()):
        raise SqlServerError(7983, login.name, "CHECKDB", database.name)


def check_sees_server(instance: Instance, session: Session) -> None:
    """What the operating system says is for who may see the server's state: 300."""
    denied = SqlServerError(300, "VIEW SERVER STATE").then(297)
    check_server(instance, session, "VIEW SERVER STATE", denied)


def sees_files(instance: Instance, session: Session) -> bool:
    """Whether sys.master_files has rows for the session: its page asks for one of these."""
    login = login_of(instance, session)
    return any(map(login.may, ("CREATE ANY DATABASE", "ALTER ANY DATABASE", "VIEW ANY DEFINITION")))


def check_table(instance: Instance, session: Session, database: str, table: str, action: str) -> None:
    """Rows are for db_owner, but for those of the system databases: 229."""
    login = login_of(instance, session)
    if login.is_admin or database.lower() in _OPEN_TO_ALL:
        return
    if "db_owner" not in (roles(instance, login, instance.databases.get(database)) or set()):
        raise SqlServerError(229, action, table, database, "dbo")


def check_owner(instance: Instance, session: Session, database: str, what: str) -> None:
    """CREATE TABLE and its like are for db_owner: 262."""
    login_roles = roles(instance, login_of(instance, session), instance.databases.readable(database)) or set()
    if "db_owner" not in login_roles:
        raise SqlServerError(262, what, database)


def check_admin(instance: Instance, session: Session) -> None:
    """Logins and roles are for the administrator: 15247."""
    if not login_of(instance, session).is_admin:
        raise SqlServerError(15247)


def may_alter(instance: Instance, session: Session, database: Database) -> bool:
    """Whether the session may change the database as a whole: by a right on the server, or as a db_owner of it.

    One that is not online, only the server's right opens: ALTER ANY DATABASE, which dbcreator has.
    """
    login = login_of(instance, session)
    if login.may("ALTER ANY DATABASE"):
        return True
    return database.state == "ONLINE" and "db_owner" in (roles(instance, login, database) or set())
