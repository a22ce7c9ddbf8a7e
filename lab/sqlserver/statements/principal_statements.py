"""Logins, users, roles and permissions: carried out for the administrator and for nobody else."""

from __future__ import annotations

from lab.sqlserver.engine import permissions
from lab.sqlserver.engine.context import Context
from lab.sqlserver.engine.principals import drop_user, put_user, users
from lab.sqlserver.errors import SqlServerError
from lab.sqlserver.tsql.statements import AlterRole, AlterUser, CreateLogin, CreateUser, DropPrincipal, Grant


def create_login(context: Context, statement: CreateLogin) -> None:
    permissions.check_admin(context.instance, context.session)
    context.instance.logins.create(statement.name, statement.password)
    context.reply.done()


def create_user(context: Context, statement: CreateUser) -> None:
    """Raises SqlServerError 15023 for a name that is taken, 15007 or 15063 for a login that cannot be had."""
    permissions.check_admin(context.instance, context.session)
    sid = _sid_for(context, statement.name, statement.login)
    if _roles(context, statement.name) is not None:
        raise SqlServerError(15023, statement.name)
    put_user(context.storage.connection, statement.name, sid, set())
    context.reply.done()


def alter_user(context: Context, statement: AlterUser) -> None:
    """Raises SqlServerError 15151 for an unknown user, 15007 or 15063 for a login that cannot be had."""
    permissions.check_admin(context.instance, context.session)
    user = _roles(context, statement.name)
    if user is None:
        raise SqlServerError(15151, "user", statement.name)
    _, roles = user
    put_user(context.storage.connection, statement.name, _sid_for(context, statement.name, statement.login), roles)
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
        user = _roles(context, statement.member)
        if user is None:
            raise SqlServerError(15151, "user", statement.member)
        sid, roles = user
        roles = roles | {statement.role} if statement.add else roles - {statement.role}
        put_user(context.storage.connection, statement.member, sid, roles)
    context.reply.done()


def grant(context: Context, statement: Grant) -> None:
    permissions.check_admin(context.instance, context.session)
    context.instance.logins.change(statement.login, "permissions", statement.permission, statement.given)
    context.reply.done()


def _sid_for(context: Context, user: str, login: str) -> str:
    """The SID of a login that is to be this user of the current database, and is no other already."""
    owner = context.instance.logins.find(login)
    if owner is None:
        raise SqlServerError(15007, login)
    others = [name for name, sid, _ in users(context.storage.connection) if sid == owner.sid]
    if any(name.lower() != user.lower() for name in others):
        raise SqlServerError(15063)
    return owner.sid


def _roles(context: Context, user: str) -> tuple[str, set[str]] | None:
    """The SID and the roles of a user of the current database; None if there is none of that name."""
    everybody = users(context.storage.connection)
    return next(((sid, roles) for name, sid, roles in everybody if name.lower() == user.lower()), None)
