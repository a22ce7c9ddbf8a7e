"""CREATE, ALTER and DROP DATABASE, USE, DBCC CHECKDB, KILL, credentials."""

from __future__ import annotations

import time

import apsw

from lab.sqlserver import functions, permissions
from lab.sqlserver.attach import attach
from lab.sqlserver.context import Context
from lab.sqlserver.credentials import Credential
from lab.sqlserver.databases import Database, open_file
from lab.sqlserver.errors import Cause, SqlServerError
from lab.sqlserver.opening import bring_online
from lab.sqlserver.tsql.statements import (
    AlterDatabase,
    CheckDatabase,
    CreateCredential,
    CreateDatabase,
    DropCredential,
    DropDatabase,
    Kill,
    Use,
)

_LOOK_AGAIN_SECONDS = 0.05


def use(context: Context, statement: Use) -> None:
    old = context.session.database
    new = context.storage.use(statement.database)
    context.reply.changed_database(new, old)
    context.reply.done()


def create(context: Context, statement: CreateDatabase) -> None:
    permissions.check_create(context.instance, context.session)
    if statement.files:
        attach(context.instance, statement.name, statement.files)
    else:
        context.instance.databases.create(statement.name)
        context.instance.logs.of(statement.name)  # the log file is there from the beginning
    context.reply.done()


def drop(context: Context, statement: DropDatabase) -> None:
    databases = context.instance.databases
    for name in statement.names:
        with databases.lock:
            database = databases.find(name)
            if database is None and statement.if_exists:
                continue
            if database is None or not permissions.may_alter(context.instance, context.session, database):
                raise SqlServerError(3701, "database", name)
            if database.is_system:
                raise SqlServerError(3708, name)
            if context.instance.in_use(database):
                raise SqlServerError(3702, database.name)
            context.instance.logs.close(database.name)
            databases.drop(database)
    context.reply.done()


def alter(context: Context, statement: AlterDatabase) -> None:
    """ALTER DATABASE ... SET; whatever is wrong, 5069 says that the whole statement failed."""
    name = statement.database or context.session.database
    database = context.instance.databases.find(name)
    if database is None or not permissions.may_alter(context.instance, context.session, database):
        raise SqlServerError(5011, name, state=9).then(5069)
    try:
        _alter(context, database, statement)
    except SqlServerError as error:
        error.then(5069)
        raise
    context.reply.done()


def _alter(context: Context, database: Database, statement: AlterDatabase) -> None:
    if database.is_system and statement.option != "RECOVERY":
        raise SqlServerError(5058, statement.option, database.name)
    if database.state == "RESTORING":
        raise SqlServerError(5052, statement.option, database.name)
    if statement.option == "RECOVERY":
        _alter_recovery_model(context, database, statement.value)
    elif statement.option == "ONLINE":
        bring_online(context.instance, database)
    elif database.state == "OFFLINE":
        context.instance.databases.change(database.name, user_access=_access(statement, database))
    else:
        _alter_access(context, database, statement)


def _alter_recovery_model(context: Context, database: Database, model: str | None) -> None:
    """SIMPLE ends the log chain; another one begins with the next full or differential backup."""
    if model == "SIMPLE" and database.log_lsn:
        context.instance.logs.of(database.name).end_chain()
        context.instance.databases.change(database.name, log_lsn=0, chain_lsn=0)
    context.instance.databases.change(database.name, recovery_model=model)


def _alter_access(context: Context, database: Database, statement: AlterDatabase) -> None:
    """Change who may be in the database, once everybody who may not be there any more has left."""
    instance = context.instance
    if database.user_access == "SINGLE_USER" and instance.others_inside(context.session, database):
        raise SqlServerError(5064, database.name)
    while True:
        with instance.databases.lock:
            others = instance.others_inside(context.session, database) if statement.option != "MULTI_USER" else []
            if not others:
                state = "OFFLINE" if statement.option == "OFFLINE" else "ONLINE"
                if state == "OFFLINE" and context.session.database == database.name:
                    context.storage.use("master")
                    context.reply.changed_database("master", database.name)
                if state == "OFFLINE":
                    instance.logs.close(database.name)
                instance.databases.change(database.name, state=state, user_access=_access(statement, database))
                return
            if statement.termination == "NO_WAIT":
                raise SqlServerError(5070, database.name)
            if statement.termination == "ROLLBACK":
                for other in others:
                    other.end(Cause.KILLED)
        context.reply.check()
        time.sleep(_LOOK_AGAIN_SECONDS)


def _access(statement: AlterDatabase, database: Database) -> str:
    return statement.option if statement.option.endswith("_USER") else database.user_access


def check(context: Context, statement: CheckDatabase) -> None:
    """DBCC CHECKDB: every page and every index of the database's file, and its foreign keys' targets."""
    database = context.instance.databases.readable(statement.database or context.session.database)
    context.instance.check_single_user(context.session, database)
    found = _integrity_errors(context, database)
    for problem in found:
        context.reply.message(SqlServerError(8939, database.name, problem).messages[0])
    if found or not statement.no_infomsgs:
        context.reply.info(8989, len(found), database.name)
    context.reply.done()


def _integrity_errors(context: Context, database: Database) -> list[str]:
    connection = open_file(database)
    functions.register(connection, context.instance, context.session)  # CHECK constraints may need them
    try:
        return [str(line) for (line,) in connection.execute("PRAGMA integrity_check") if line != "ok"]
    except (apsw.CorruptError, apsw.NotADBError) as error:
        return [str(error)]
    finally:
        connection.close()


def kill(context: Context, statement: Kill) -> None:
    permissions.check_server(context.instance, context.session, "ALTER ANY CONNECTION", SqlServerError(6102))
    if statement.session_id == context.session.id:
        raise SqlServerError(6104)
    context.instance.sessions.get(statement.session_id).end(Cause.KILLED)
    context.reply.done()


def create_credential(context: Context, statement: CreateCredential) -> None:
    permissions.check_server(context.instance, context.session, "ALTER ANY CREDENTIAL", SqlServerError(15247))
    context.instance.credentials.create(Credential(statement.name, statement.identity, statement.secret))
    context.reply.done()


def drop_credential(context: Context, statement: DropCredential) -> None:
    permissions.check_server(context.instance, context.session, "ALTER ANY CREDENTIAL", SqlServerError(15247))
    context.instance.credentials.drop(statement.name)
    context.reply.done()
