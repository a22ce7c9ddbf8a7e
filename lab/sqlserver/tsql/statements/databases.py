"""Databases as a whole, credentials and sessions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Use:
    database: str


@dataclass(frozen=True)
class Kill:
    session_id: int


@dataclass(frozen=True)
class CheckDatabase:
    """DBCC CHECKDB; without a database, the session's own."""

    database: str | None
    no_infomsgs: bool


@dataclass(frozen=True)
class CreateDatabase:
    """CREATE DATABASE; `files` are those of a FOR ATTACH, the data file first."""

    name: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class CreateSnapshot:
    """CREATE DATABASE name ON (NAME = ..., FILENAME = ...) AS SNAPSHOT OF source."""

    name: str
    file: str
    source: str


@dataclass(frozen=True)
class AlterAvailabilityGroup:
    """ALTER AVAILABILITY GROUP name ADD (or REMOVE) DATABASE name."""

    group: str
    database: str
    add: bool


@dataclass(frozen=True)
class DropDatabase:
    names: tuple[str, ...]
    if_exists: bool


@dataclass(frozen=True)
class AlterDatabase:
    """ALTER DATABASE name SET option [WITH termination]; without a database (CURRENT), the session's own."""

    database: str | None
    option: str
    value: str | None = None
    termination: Literal["ROLLBACK", "NO_WAIT"] | None = None


@dataclass(frozen=True)
class RenameDatabase:
    """ALTER DATABASE name MODIFY NAME = name; without a database (CURRENT), the session's own."""

    database: str | None
    new_name: str


@dataclass(frozen=True)
class CreateCredential:
    name: str
    identity: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class DropCredential:
    name: str
