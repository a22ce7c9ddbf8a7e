"""The sys views of who there is and of encryption, each with what a login may see of it."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from lab.sqlserver.engine import permissions
from lab.sqlserver.engine.instance import Instance
from lab.sqlserver.engine.principals import ADMINISTRATOR_SID, users
from lab.sqlserver.engine.sessions import Session

Row = tuple[object, ...]

_ENCRYPTED, _UNENCRYPTED = 3, 1  # encryption_state


def server_principals(instance: Instance, session: Session, _connection: apsw.Connection) -> Iterator[Row]:
    """Without VIEW ANY DEFINITION a login sees itself and the administrator alone."""
    asking = permissions.login_of(instance, session)
    for number, login in enumerate(instance.logins.all(), start=1):
        if asking.may("VIEW ANY DEFINITION") or login.sid in (asking.sid, ADMINISTRATOR_SID):
            yield login.name, number, bytes.fromhex(login.sid), "S", "SQL_LOGIN", 0


def database_principals(_instance: Instance, _session: Session, connection: apsw.Connection) -> Iterator[Row]:
    yield "dbo", 1, b"\x01", "S", "SQL_USER", "dbo", 1, "INSTANCE"
    for number, (name, own) in enumerate((("guest", b"\x00"), ("INFORMATION_SCHEMA", None), ("sys", None)), start=2):
        yield name, number, own, "S", "SQL_USER", None, 0, "NONE"
    for number, (name, sid, _) in enumerate(users(connection), start=5):
        yield name, number, bytes.fromhex(sid), "S", "SQL_USER", "dbo", 1, "INSTANCE"


def credentials(instance: Instance, _session: Session, _connection: apsw.Connection) -> Iterator[Row]:
    for number, credential in enumerate(instance.credentials.all(), start=65536):
        yield number, credential.name, credential.identity


def certificates(instance: Instance, session: Session, _connection: apsw.Connection) -> Iterator[Row]:
    """Those of the server, whatever the database: the lab's databases have none of their own."""
    if permissions.login_of(instance, session).may("VIEW ANY DEFINITION"):
        for number, certificate in enumerate(instance.certificates.all(), start=256):
            thumbprint = bytes.fromhex(certificate.thumbprint)
            yield certificate.name, number, thumbprint, certificate.key_backed_up


def asymmetric_keys(_instance: Instance, _session: Session, _connection: apsw.Connection) -> Iterator[Row]:
    """The lab has none: they come from a provider outside of the server."""
    return iter(())


def encryption_keys(instance: Instance, session: Session, _connection: apsw.Connection) -> Iterator[Row]:
    permissions.check_sees_server(instance, session)
    for database in instance.databases.all():
        if database.encryptor:
            state = _ENCRYPTED if database.encrypted else _UNENCRYPTED
            yield database.id, state, bytes.fromhex(database.encryptor), "CERTIFICATE"
