"""The grammar of who may do what: logins, users, roles, and permissions on the server."""

from __future__ import annotations

from lab.sqlserver.errors import UNSUPPORTED, SqlServerError
from lab.sqlserver.tsql.reader import Reader
from lab.sqlserver.tsql.statements import (
    AlterAuthorization,
    AlterRole,
    AlterUser,
    CreateLogin,
    CreateUser,
    DropPrincipal,
    Grant,
)

SERVER_ROLES = frozenset({"sysadmin", "dbcreator"})
DATABASE_ROLES = frozenset({"db_owner", "db_backupoperator"})
SERVER_PERMISSIONS = (
    ("VIEW", "SERVER", "STATE"),
    ("VIEW", "ANY", "DEFINITION"),
    ("ALTER", "ANY", "DATABASE"),
    ("ALTER", "ANY", "CONNECTION"),
    ("ALTER", "ANY", "CREDENTIAL"),
    ("CREATE", "ANY", "DATABASE"),
)


def create_login(reader: Reader) -> CreateLogin:
    """CREATE LOGIN name WITH PASSWORD = N'...'."""
    reader.expect("CREATE", "LOGIN")
    name = reader.name()
    reader.expect("WITH", "PASSWORD")
    reader.expect_symbol("=")
    return CreateLogin(name, reader.string())


def create_user(reader: Reader) -> CreateUser:
    """CREATE USER name [FOR LOGIN login]."""
    reader.expect("CREATE", "USER")
    name = reader.name()
    return CreateUser(name, reader.name() if reader.accept("FOR", "LOGIN") else name)


def alter_user(reader: Reader) -> AlterUser:
    """ALTER USER name WITH LOGIN = login."""
    reader.expect("ALTER", "USER")
    name = reader.name()
    reader.expect("WITH")
    if not reader.accept("LOGIN"):
        raise SqlServerError(UNSUPPORTED, f"ALTER USER ... WITH {reader.here.value.upper()}")
    reader.expect_symbol("=")
    return AlterUser(name, reader.name())


def drop(reader: Reader) -> DropPrincipal:
    """DROP LOGIN name or DROP USER name."""
    reader.expect("DROP")
    kind = reader.name().upper()
    return DropPrincipal("LOGIN" if kind == "LOGIN" else "USER", reader.name())


def alter_role(reader: Reader) -> AlterRole:
    """ALTER [SERVER] ROLE role ADD|DROP MEMBER name."""
    reader.expect("ALTER")
    on_server = reader.accept("SERVER")
    reader.expect("ROLE")
    role = reader.name().lower()
    if role not in (SERVER_ROLES if on_server else DATABASE_ROLES):
        raise SqlServerError(UNSUPPORTED, f"the role {role}")
    add = reader.accept("ADD")
    if not add:
        reader.expect("DROP")
    reader.expect("MEMBER")
    return AlterRole(on_server, role, add, reader.name())


def alter_authorization(reader: Reader) -> AlterAuthorization:
    """ALTER AUTHORIZATION ON DATABASE::name TO login."""
    reader.expect("ALTER", "AUTHORIZATION", "ON", "DATABASE")
    reader.expect_symbol(":")
    reader.expect_symbol(":")
    database = reader.name()
    reader.expect("TO")
    return AlterAuthorization(database, reader.name())


def grant(reader: Reader) -> Grant:
    """GRANT or REVOKE a permission on the server TO (FROM) login."""
    is_grant = reader.accept("GRANT")
    if not is_grant:
        reader.expect("REVOKE")
    for words in SERVER_PERMISSIONS:
        if reader.accept(*words):
            if not (reader.accept("TO") or reader.accept("FROM")):
                raise reader.wrong()
            return Grant(" ".join(words), is_grant, reader.name())
    raise SqlServerError(UNSUPPORTED, f"GRANT {reader.here.value.upper()}: it knows permissions on the server alone")
