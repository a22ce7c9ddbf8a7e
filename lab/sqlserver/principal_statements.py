"""Logins, users, roles and permissions: carried out for the administrator and for nobody else."""

from __future__ import annotations

from lab.sqlserver import permissions
from lab.sqlserver.context import Context
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.principals import drop_user, put_user, users
from lab.sqlserver.tsql.statements import AlterRole, CreateLogin, CreateUser, DropPrincipal, Grant


def create_login(context: Context, statement: CreateLogin) -> None:
    permissions.check_admin(context.instance, context.session)
    context.instance.logins.create(statement.name, statement.password)
    context.reply.done()


def create_user(context: Context, statement: CreateUser) -> None:
    """Raises SqlServerError 15023 for a name that is taken, 15151 for an unknown login."""
    permissions.check_admin(context.instance, context.session)
    login = context.instance.logins.get(statement.login)
    if _roles(context, statement.name) is not None:
        raise SqlServerError(15023, statement.name)
    put_user(context.storage.connection, statement.name, login.sid, set())
    context.reply.done()


def drop(context: Context, statement: DropPrincipal) -> None:
    permissions.check_admin(context.instance, context.session)
    if statement.kind == "LOGIN":
        context.instance.logins.drop(statement.name)
    elif _roles(context, statement.name) is None:
        raise SqlServerError(15151, "user", statement.name)
    else:
        drop_user(context.storage.connection, statement.name)
    context.reply.done()


def alter_role(context: Context, statement: AlterRole) -> None:
    permissions.check_admin(context.instance, context.session)
    if statement.on_server:
        context.instance.logins.change(statement.member, "roles", statement.role, statement.add)
    else:
        found = _roles(context, statement.member)
        if found is None:
            raise SqlServerError(15151, "user", statement.member)
        sid, held = found
        held = held | {statement.role} if statement.add else held - {statement.role}
        put_user(context.storage.connection, statement.member, sid, held)
    context.reply.done()


def grant(context: Context, statement: Grant) -> None:
    permissions.check_admin(context.instance, context.session)
    context.instance.logins.change(statement.login, "permissions", statement.permission, statement.given)
    context.reply.done()


def _roles(context: Context, user: str) -> tuple[str, set[str]] | None:
    """The SID and the roles of a user of the current database; None if there is none of that name."""
    found = users(context.storage.connection)
    return next(((sid, held) for name, sid, held in found if name.lower() == user.lower()), None)
