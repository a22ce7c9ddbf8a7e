"""EXEC: the stored procedures that the stand-in has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lab.sqlserver.engine import permissions
from lab.sqlserver.engine.carried import change_carried
from lab.sqlserver.engine.context import Context
from lab.sqlserver.engine.locks import MODES
from lab.sqlserver.errors import UNSUPPORTED, SqlServerError
from lab.sqlserver.statements.queries import value
from lab.sqlserver.translation.column_types import declared_type
from lab.sqlserver.tsql.statements import Execute

_PARAMETER_ERROR = -999


def execute(context: Context, statement: Execute) -> None:
    """Call a procedure; its return value goes to the variable in front. Raises SqlServerError 2812 if unknown."""
    name = statement.procedure[-1].lower()
    if name not in _PROCEDURES:
        raise SqlServerError(2812, ".".join(statement.procedure), state=62)
    procedure, order = _PROCEDURES[name]
    arguments: dict[str, object] = {}
    for position, (given, expression) in enumerate(statement.arguments):
        arguments[given.lower() or order[position]] = value(context, expression)
    returned = procedure(context, arguments)
    if statement.result:
        if statement.result.lower() not in context.session.variables:
            raise SqlServerError(137, statement.result)
        context.session.variables[statement.result.lower()] = returned
    context.reply.done()


def _get_app_lock(context: Context, arguments: dict[str, object]) -> int:
    """sp_getapplock: 0 granted, 1 granted after waiting, -1 timed out.

    https://learn.microsoft.com/sql/relational-databases/system-stored-procedures/sp-getapplock-transact-sql
    """
    resource = _resource(context, arguments, "sp_getapplock")
    mode = MODES.get(str(arguments.get("lockmode")).lower())
    if mode is None:
        return _PARAMETER_ERROR
    timeout = int(str(arguments.get("locktimeout", -1)))
    return context.instance.locks.acquire(context.session.id, resource, mode, timeout, context.reply.check)


def _release_app_lock(context: Context, arguments: dict[str, object]) -> int:
    """sp_releaseapplock: 0, or error 1223 for a lock that the session does not hold."""
    resource = _resource(context, arguments, "sp_releaseapplock")
    if not context.instance.locks.release(context.session.id, resource):
        raise SqlServerError(1223, resource[1])
    return 0


def _file_exists(context: Context, arguments: dict[str, object]) -> int:
    """xp_fileexist: whether there is such a file, such a folder, and a folder that it would lie in.

    Undocumented. To a login that is no administrator it denies everything, as real servers are reported to.
    """
    path = Path(str(arguments.get("path")))
    sees = permissions.login_of(context.instance, context.session).is_admin
    answers = [int(sees and is_there) for is_there in (path.is_file(), path.is_dir(), path.parent.is_dir())]
    kind = declared_type("INT")
    columns = ("File Exists", "File is a Directory", "Parent Directory Exists")
    context.reply.rows([(column, kind) for column in columns if kind], [answers])
    return 0


def _resource(context: Context, arguments: dict[str, object], procedure: str) -> tuple[str, str]:
    """The lock's name within its database. A name compares in binary, unlike most."""
    if arguments.get("resource") is None:
        raise SqlServerError(201, procedure, "Resource", state=4)
    if str(arguments.get("lockowner", "Transaction")).lower() != "session":
        raise SqlServerError(UNSUPPORTED, "application locks owned by a transaction; say @LockOwner = N'Session'")
    return context.session.database, str(arguments["resource"])


def _enable_cdc(context: Context, _arguments: dict[str, object]) -> int:
    """sys.sp_cdc_enable_db: change data capture is on in the current database. Raises SqlServerError 22902."""
    return _change_cdc(context, True)


def _disable_cdc(context: Context, _arguments: dict[str, object]) -> int:
    return _change_cdc(context, False)


def _change_cdc(context: Context, on: bool) -> int:
    if not permissions.login_of(context.instance, context.session).is_admin:
        raise SqlServerError(22902)
    change_carried(context.instance, context.instance.databases.get(context.session.database), cdc=on)
    return 0


_PROCEDURES: dict[str, tuple[Callable[[Context, dict[str, object]], int], tuple[str, ...]]] = {
    "sp_getapplock": (_get_app_lock, ("resource", "lockmode", "lockowner", "locktimeout", "dbprincipal")),
    "xp_fileexist": (_file_exists, ("path",)),
    "sp_cdc_enable_db": (_enable_cdc, ()),
    "sp_cdc_disable_db": (_disable_cdc, ()),
    "sp_releaseapplock": (_release_app_lock, ("resource", "lockowner", "dbprincipal")),
}
