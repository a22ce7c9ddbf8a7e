"""Logins, users, roles and permissions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class CreateLogin:
    name: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class CreateUser:
    """CREATE USER in the session's current database."""

    name: str
    login: str


@dataclass(frozen=True)
class AlterUser:
    """ALTER USER ... WITH LOGIN: an orphaned user gets a login again."""

    name: str
    login: str


@dataclass(frozen=True)
class DropPrincipal:
    kind: Literal["LOGIN", "USER"]
    name: str


@dataclass(frozen=True)
class AlterRole:
    """ALTER [SERVER] ROLE: `member` joins (`add`) or leaves."""

    on_server: bool
    role: str
    add: bool
    member: str


@dataclass(frozen=True)
class AlterAuthorization:
    """ALTER AUTHORIZATION ON DATABASE::name TO login."""

    database: str
    login: str


@dataclass(frozen=True)
class Grant:
    """GRANT (`given`) or REVOKE of a permission on the server."""

    permission: str
    given: bool
    login: str
