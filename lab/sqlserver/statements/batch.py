"""Running a batch: each statement goes to the function that carries it out.

The first error ends the batch. (On a real server some errors end only their statement; no client of ours relies on it.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import apsw

from lab.sqlserver.engine import permissions
from lab.sqlserver.engine.context import Context
from lab.sqlserver.engine.faults import SqlFault
from lab.sqlserver.engine.sessions import Request
from lab.sqlserver.engine.work_counts import BATCHES, STATEMENT
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.statements import (
    alter_database,
    backup,
    database_options,
    database_statements,
    encryption,
    principal_statements,
    procedures,
    queries,
    rename,
    replicas,
    reports,
    restore,
    tables,
)
from lab.sqlserver.translation.sqlite_errors import as_sql_server_error
from lab.sqlserver.tsql import statements as s
from lab.sqlserver.tsql.batch_grammar import parse_batch


def run_batch(context: Context, text: str, variables: Mapping[str, object]) -> None:
    """Run all statements of a batch with parameters as its variables; answers go out as they come.

    Raises SqlServerError where a statement fails, Interrupted where the session must stop.
    """
    context.instance.counts.note(BATCHES)
    context.session.variables = dict(variables)
    for statement in parse_batch(text):
        _run(context, statement)


def _run(context: Context, statement: s.Statement) -> None:
    if isinstance(statement, s.Block):
        for inner in statement.statements:
            _run(context, inner)
    elif isinstance(statement, s.If):
        chosen = statement.then if _carry_out(context, statement, queries.holds) else statement.otherwise
        if chosen is not None:
            _run(context, chosen)
    else:
        _carry_out(context, statement, _HANDLERS[type(statement)])


def _carry_out(context: Context, statement: s.Statement, handler: Callable[[Context, Any], Any]) -> Any:
    context.reply.check()
    action = _action(statement)
    context.instance.counts.note(STATEMENT, action)
    fault = context.instance.faults.take(action, statement)
    context.session.request = Request(_command(statement), fault=fault)
    try:
        if fault:
            return _carry_out_badly(context, statement, handler, fault)
        return handler(context, statement)
    except apsw.Error as error:
        raise as_sql_server_error(error, context.session.database) from error
    finally:
        context.storage.release()
        context.session.request = None


def _carry_out_badly(
    context: Context, statement: s.Statement, handler: Callable[[Context, Any], Any], fault: SqlFault
) -> Any:
    """As a rule has ordered it; an error in the midst of the data is raised where they flow."""
    if fault.after or fault.percent:
        result = handler(context, statement)
        if fault.drop:
            raise ConnectionAbortedError("dropped by a fault rule, after the statement")
        return result
    if fault.drop:
        raise ConnectionAbortedError("dropped by a fault rule")
    if isinstance(statement, s.Backup | s.Restore | s.RestoreReport) and statement.devices:
        with context.terminating(_command(statement)):
            raise fault.error(statement.devices[0].name)
    raise fault.error(str(getattr(statement, "database", getattr(statement, "name", ""))))


def _transaction(context: Context, statement: s.Transaction) -> None:
    """BEGIN counts; the outermost COMMIT and any ROLLBACK end the transaction. Outside one they raise 3902, 3903."""
    session = context.session
    if statement.action == "BEGIN":
        session.transactions += 1
    elif session.transactions == 0:
        raise SqlServerError(3902 if statement.action == "COMMIT" else 3903)
    else:
        session.transactions = session.transactions - 1 if statement.action == "COMMIT" else 0
        if session.transactions == 0:
            context.storage.end_transaction(statement.action)
    context.reply.done()


def _set_option(context: Context, statement: s.SetOption) -> None:
    """NOCOUNT and IDENTITY_INSERT have their effect; the other options are how the stand-in works anyway."""
    option, *values = statement.words
    if option == "NOCOUNT":
        context.session.no_count = values == ["ON"]
    elif option == "IDENTITY_INSERT":
        context.session.identity_insert = values[-2].lower() if values[-1] == "ON" else None
    context.reply.done()


def _definition(change: Callable[[Context, Any], None]) -> Callable[[Context, Any], None]:
    """A change of tables answers without a row count."""

    def carry_out(context: Context, statement: Any) -> None:
        what = " ".join(re.findall("[A-Z][a-z]+", type(statement).__name__)).upper()
        permissions.check_owner(context.instance, context.session, context.session.database, what)
        change(context, statement)
        context.reply.done()

    return carry_out


_HANDLERS: dict[type, Callable[[Context, Any], None]] = {
    s.Query: queries.run,
    s.Declare: queries.declare,
    s.SetVariable: queries.set_variable,
    s.Print: queries.print_text,
    s.SetOption: _set_option,
    s.Execute: procedures.execute,
    s.Transaction: _transaction,
    s.Use: database_statements.use,
    s.Kill: database_statements.kill,
    s.CheckDatabase: database_statements.check,
    s.CreateDatabase: database_statements.create,
    s.CreateSnapshot: replicas.create_snapshot,
    s.AlterAvailabilityGroup: replicas.alter_group,
    s.DropDatabase: database_statements.drop,
    s.AlterDatabase: alter_database.alter,
    s.RenameDatabase: rename.rename,
    s.CreateCredential: database_statements.create_credential,
    s.DropCredential: database_statements.drop_credential,
    s.CreateLogin: principal_statements.create_login,
    s.CreateUser: principal_statements.create_user,
    s.AlterUser: principal_statements.alter_user,
    s.DropPrincipal: principal_statements.drop,
    s.AlterRole: principal_statements.alter_role,
    s.AlterAuthorization: database_options.change_owner,
    s.CreateCertificate: encryption.create_certificate,
    s.BackupCertificate: encryption.back_up_certificate,
    s.DropCertificate: encryption.drop_certificate,
    s.CreateEncryptionKey: encryption.create_key,
    s.DropEncryptionKey: encryption.drop_key,
    s.Grant: principal_statements.grant,
    s.Backup: backup.run,
    s.Restore: restore.run,
    s.RestoreReport: reports.run,
    s.CreateTable: _definition(tables.create_table),
    s.AlterTable: _definition(tables.alter_table),
    s.DropTable: _definition(tables.drop_table),
    s.CreateIndex: _definition(tables.create_index),
}


def _action(statement: s.Statement) -> str:
    """How a fault rule names a statement."""
    if isinstance(statement, s.RestoreReport):
        return f"sql:{_REPORTS[statement.report]}"
    return "sql:AlterDatabase" if isinstance(statement, s.RenameDatabase) else f"sql:{type(statement).__name__}"


_REPORTS = {
    "VERIFYONLY": "VerifyOnly",
    "HEADERONLY": "HeaderOnly",
    "FILELISTONLY": "FileListOnly",
    "LABELONLY": "LabelOnly",
}


def _command(statement: s.Statement) -> str:
    """How sys.dm_exec_requests names a running statement."""
    if isinstance(statement, s.Backup | s.Restore):
        return f"{type(statement).__name__.upper()} {'LOG' if statement.kind == 'LOG' else 'DATABASE'}"
    return _COMMANDS.get(type(statement), "SELECT")


# All others show as SELECT.
_COMMANDS: dict[type, str] = {
    s.RestoreReport: "RESTORE VERIFYON",
    s.CheckDatabase: "DBCC",
    s.Execute: "EXECUTE",
    s.AlterDatabase: "ALTER DATABASE",
    s.RenameDatabase: "ALTER DATABASE",
    s.CreateDatabase: "CREATE DATABASE",
    s.DropDatabase: "DROP DATABASE",
}
