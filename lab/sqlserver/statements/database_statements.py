"""CREATE and DROP DATABASE, USE, DBCC CHECKDB, KILL, credentials."""

from __future__ import annotations

import apsw

from lab.sqlserver.engine import functions, permissions
from lab.sqlserver.engine.attach import attach
from lab.sqlserver.engine.context import Context
from lab.sqlserver.engine.credentials import Credential
from lab.sqlserver.engine.databases import Database, open_file
from lab.sqlserver.errors import Cause, SqlServerError
from lab.sqlserver.tsql.statements import (
    CheckDatabase,
    CreateCredential,
    CreateDatabase,
    DropCredential,
    DropDatabase,
    Kill,
    Use,
)


def use(context: Context, statement: Use) -> None:
    old = context.session.database
    new = context.storage.use(statement.database)
    context.reply.changed_database(new, old)
    context.reply.done()


def create(context: Context, statement: CreateDatabase) -> None:
    permissions.check_create(context.instance, context.session)
    owner_sid = permissions.login_of(context.instance, context.session).sid
    if statement.files:
        attach(context.instance, statement.name, statement.files, owner_sid)
    else:
        context.instance.databases.create(statement.name, owner_sid)
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
            if database.availability_group:
                raise SqlServerError(3752, database.name)
            databases.check_whole(database, "drop")
            if context.instance.in_use(database):
                raise SqlServerError(3702, database.name)
            context.instance.logs.close(database.name)
            databases.drop(database)
    context.reply.done()


def check(context: Context, statement: CheckDatabase) -> None:
    """DBCC CHECKDB: every page and every index of the database's file, and its foreign keys' targets."""
    database = context.instance.databases.readable(statement.database or context.session.database)
    permissions.check_checkdb(context.instance, context.session, database)
    context.instance.check_place(context.session, database)
    problems = _integrity_errors(context, database)
    for problem in problems:
        context.reply.message(SqlServerError(8939, database.name, problem).messages[0])
    if problems or not statement.no_infomsgs:
        context.reply.info(8989, len(problems), database.name)
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
