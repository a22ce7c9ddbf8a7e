"""ALTER DATABASE ... SET: the recovery model, and who may be in the database, if anybody.

https://learn.microsoft.com/sql/t-sql/statements/alter-database-transact-sql-set-options
"""

from __future__ import annotations

import time

from lab.sqlserver.engine import permissions
from lab.sqlserver.engine.attach import close, reopen
from lab.sqlserver.engine.context import Context
from lab.sqlserver.engine.databases import Database
from lab.sqlserver.engine.sessions import Work
from lab.sqlserver.errors import Cause, SqlServerError
from lab.sqlserver.statements import database_options
from lab.sqlserver.statements.replicas import check_in_no_group
from lab.sqlserver.tsql.statements import AlterDatabase

_LOOK_AGAIN_SECONDS = 0.05


def alter(context: Context, statement: AlterDatabase) -> None:
    """Change one option; whatever is wrong, 5069 says that the whole statement failed."""
    name = statement.database or context.session.database
    database = context.instance.databases.find(name)
    if database is None or not permissions.may_alter(context.instance, context.session, database):
        raise SqlServerError(5011, name, state=9).then(5069)
    try:
        with context.instance.working(context.session, database.name, Work.ALTER):
            try:
                _alter(context, database.name, statement)
            finally:
                context.instance.in_transition.discard(database.name)
    except SqlServerError as error:
        error.then(5069)
        raise
    context.reply.done()


def _alter(context: Context, name: str, statement: AlterDatabase) -> None:
    """Make the change as soon as those may go on who use the database; wait for the others, or end them."""
    instance = context.instance
    while True:
        with instance.databases.lock:
            database = instance.databases.get(name)
            _check(context, database, statement)
            others = instance.others_inside(context.session, database) if _needs_it_alone(database, statement) else []
            if not others:
                _change(context, database, statement)
                return
            if statement.termination == "NO_WAIT":
                raise SqlServerError(5070, database.name)
            instance.in_transition.add(database.name)
            if statement.termination == "ROLLBACK":
                for other in others:
                    other.end(Cause.KILLED)
        context.reply.check()
        time.sleep(_LOOK_AGAIN_SECONDS)


def _check(context: Context, database: Database, statement: AlterDatabase) -> None:
    """Raises SqlServerError 5058, 5052, 1468, 5064 or 3023 where the database is not to be changed so, or not now."""
    if database.is_system and statement.option != "RECOVERY":
        raise SqlServerError(5058, statement.option, database.name)
    if database.state == "RESTORING":
        raise SqlServerError(5052, "ALTER DATABASE", "Restoring")
    check_in_no_group(database)
    if statement.option == "RECOVERY":
        if context.instance.sessions.at_work(database.name) & {Work.DATA_BACKUP, Work.LOG_BACKUP}:
            raise SqlServerError(3023)
    elif database.user_access == "SINGLE_USER" and context.instance.others_inside(context.session, database):
        raise SqlServerError(5064, database.name)


def _needs_it_alone(database: Database, statement: AlterDatabase) -> bool:
    return database.state == "ONLINE" and statement.option in ("SINGLE_USER", "OFFLINE", *database_options.BROKER)


def _change(context: Context, database: Database, statement: AlterDatabase) -> None:
    databases = context.instance.databases
    if statement.option == "RECOVERY":
        _change_recovery_model(context, database, statement.value)
    elif statement.option == "ONLINE":
        if database.state == "OFFLINE":
            reopen(context.instance, database)
    elif statement.option == "OFFLINE":
        if context.session.database == database.name:
            context.storage.use("master")
            context.reply.changed_database("master", database.name)
        if database.state == "ONLINE":
            close(context.instance, database)
    elif database_options.is_known(statement.option):
        if database.state != "ONLINE":
            raise SqlServerError(942, database.name)
        database_options.change(context, database, statement)
    else:
        databases.change(database.name, user_access=statement.option)


def _change_recovery_model(context: Context, database: Database, model: str | None) -> None:
    """SIMPLE ends the log chain; another one begins with the next full or differential backup."""
    if model == "SIMPLE" and database.log_lsn:
        context.instance.logs.of(database.name).end_chain()
        context.instance.databases.change(database.name, log_lsn=0, chain_lsn=0, log_fork=None, fork_lsn=0)
    context.instance.databases.change(database.name, recovery_model=model)
