"""ALTER DATABASE ... MODIFY NAME: another name for a database that nobody else is in; its files keep theirs."""

from __future__ import annotations

from lab.sqlserver.engine import permissions
from lab.sqlserver.engine.context import Context
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.statements.replicas import check_in_no_group
from lab.sqlserver.tsql.statements import RenameDatabase


def rename(context: Context, statement: RenameDatabase) -> None:
    """Raises SqlServerError 5011 for an unknown database, 1468 for one in an availability group, 927 or 942 for one
    that is not open, 1801 for a name that is taken, 5030 where others are inside.
    """
    instance, session = context.instance, context.session
    with instance.databases.lock:
        database = instance.databases.find(statement.database or session.database)
        if database is None or not permissions.may_alter(instance, session, database):
            raise SqlServerError(5011, statement.database or session.database, state=9).then(5069)
        if database.is_system:
            raise SqlServerError(5058, "MODIFY NAME", database.name).then(5069)
        try:
            check_in_no_group(database)
        except SqlServerError as error:
            error.then(5069)
            raise
        instance.databases.readable(database.name)
        namesake = instance.databases.find(statement.new_name)
        if namesake and namesake.id != database.id:
            raise SqlServerError(1801, statement.new_name, state=3)
        if instance.others_inside(session, database):
            raise SqlServerError(5030).then(5069)
        instance.logs.close(database.name)
        instance.databases.rename(database, statement.new_name)
        if session.database == database.name:
            session.database = statement.new_name
            context.reply.changed_database(statement.new_name, database.name)
    context.reply.done()
