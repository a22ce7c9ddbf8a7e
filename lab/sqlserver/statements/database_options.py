"""ALTER DATABASE ... SET for what is neither access nor recovery: Service Broker, trust, encryption; and the owner.

https://learn.microsoft.com/sql/t-sql/statements/alter-database-transact-sql-set-options
"""

from __future__ import annotations

from lab.sqlserver.engine import permissions
from lab.sqlserver.engine.carried import change_carried
from lab.sqlserver.engine.context import Context
from lab.sqlserver.engine.databases import Database, new_guid, open_file
from lab.sqlserver.engine.principals import users
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.tsql.statements import AlterAuthorization, AlterDatabase

BROKER = ("ENABLE_BROKER", "DISABLE_BROKER", "NEW_BROKER")
_TRUST = {"TRUSTWORTHY": "trustworthy", "DB_CHAINING": "db_chaining"}


def is_known(option: str) -> bool:
    """Whether this module sees to an option."""
    return option in (*BROKER, *_TRUST, "ENCRYPTION", "COMPATIBILITY_LEVEL")


def change(context: Context, database: Database, statement: AlterDatabase) -> None:
    """Change one option.

    Raises SqlServerError 15247 where only an administrator may, 9772 for a second broker of one id, 33107 for the
    encryption of a database that has no key.
    """
    if statement.option in BROKER:
        _change_broker(context, database, statement.option)
    elif statement.option in _TRUST:
        permissions.check_admin(context.instance, context.session)
        context.instance.databases.change(database.name, **{_TRUST[statement.option]: statement.value == "ON"})
    elif statement.option == "ENCRYPTION":
        if not database.encryptor:
            raise SqlServerError(33107)
        change_carried(context.instance, database, encrypted=statement.value == "ON")
    else:
        change_carried(context.instance, database, compatibility_level=int(str(statement.value)))


def _change_broker(context: Context, database: Database, option: str) -> None:
    """One enabled broker of an id on a server; a copy of a database has the id of its original."""
    if option == "DISABLE_BROKER":
        context.instance.databases.change(database.name, broker_enabled=False)
        return
    own_id = database.broker_guid if option == "ENABLE_BROKER" and database.broker_guid else new_guid()
    if any(other.broker_enabled and other.broker_guid == own_id for other in context.instance.databases.all()):
        raise SqlServerError(9772, database.name)
    change_carried(context.instance, database, broker_guid=own_id)
    context.instance.databases.change(database.name, broker_enabled=True)


def change_owner(context: Context, statement: AlterAuthorization) -> None:
    """ALTER AUTHORIZATION ON DATABASE::name TO login.

    Raises SqlServerError 15151 for a database or a login that is not there or not the session's to give, 15110 for a
    login that is a user of the database already.
    """
    instance, asking = context.instance, permissions.login_of(context.instance, context.session)
    database = instance.databases.find(statement.database)
    if database is None or not (asking.is_admin or asking.sid == database.owner_sid):
        raise SqlServerError(15151, "database", statement.database)
    owner = instance.logins.find(statement.login)
    if owner is None or not (asking.is_admin or asking.sid == owner.sid):  # else it takes IMPERSONATE on the login
        raise SqlServerError(15151, "login", statement.login)
    connection = open_file(instance.databases.readable(database.name))
    try:
        is_user = any(sid == owner.sid for _, sid, _ in users(connection))
    finally:
        connection.close(True)
    if is_user:
        raise SqlServerError(15110)
    instance.databases.change(database.name, owner_sid=owner.sid)
    context.reply.done()
