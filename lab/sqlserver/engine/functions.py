"""The T-SQL functions that SQLite lacks, given to each session's SQLite connection."""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import apsw

from lab.sqlserver.engine.file_space import pages_of
from lab.sqlserver.engine.instance import DATABASE_VERSION, PRODUCT_VERSION, Instance
from lab.sqlserver.engine.permission_functions import permission_functions
from lab.sqlserver.engine.sessions import Session
from lab.sqlserver.errors import UNSUPPORTED, SqlServerError
from lab.sqlserver.translation.dates import DATE_KINDS, coerce, now, parse_moment, stored

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_UNITS = {
    "ss": "second",
    "s": "second",
    "mi": "minute",
    "n": "minute",
    "hh": "hour",
    "dd": "day",
    "d": "day",
    "wk": "week",
    "ww": "week",
}
# `#` stands for the fraction of the second and its point
_DATE_STYLES = {
    23: "%Y-%m-%d",
    108: "%H:%M:%S",
    112: "%Y%m%d",
    120: "%Y-%m-%d %H:%M:%S",
    121: "%Y-%m-%d %H:%M:%S#",
    126: "%Y-%m-%dT%H:%M:%S#",
}
_BINARY_STYLES = {1: "0x", 2: ""}


def register(connection: apsw.Connection, instance: Instance, session: Session) -> None:
    """Give `connection` all functions; some of them answer about the server and the session."""
    scalars: dict[str, tuple[Callable[..., Any], int]] = {
        **dict.fromkeys(("GETDATE", "GETUTCDATE", "SYSDATETIME", "SYSUTCDATETIME"), (now, 0)),
        **{f"TO_{kind}": (_coercion(kind), 1) for kind in DATE_KINDS},
        "DATEADD": (_date_add, 3),
        "DATEDIFF": (_date_diff, 3),
        "STYLED": (_styled, 3),
        "LEN": (_length, 1),
        "NEWID": (lambda: str(uuid.uuid4()).upper(), 0),
        "BINARY_CHECKSUM": (_checksum, -1),
        "CHECKSUM": (_checksum, -1),
        "SERVERPROPERTY": (lambda name: server_property(instance, name), 1),
        "DB_ID": (lambda *name: _database_id(instance, name[0] if name else session.database), -1),
        "DB_NAME": (lambda *number: _database_name(instance, session, *number), -1),
        "DATABASEPROPERTYEX": (lambda name, what: database_property(instance, name, what), 2),
        "FILEPROPERTY": (lambda name, what: file_property(instance, session, name, what), 2),
        **permission_functions(instance, session),
    }
    for name, (function, arguments) in scalars.items():
        connection.create_scalar_function(name, function, arguments)
    connection.create_aggregate_function("CHECKSUM_AGG", _checksum_aggregate, 1)


def server_property(instance: Instance, name: str) -> str | int | None:
    """SERVERPROPERTY(name); None for a name that no server knows."""
    major, minor, build, _ = PRODUCT_VERSION.split(".")
    properties: dict[str, str | int] = {
        "instancedefaultdatapath": f"{instance.data_folder}/",
        "instancedefaultlogpath": f"{instance.log_folder}/",
        "instancedefaultbackuppath": f"{instance.backup_folder}/",
        "productversion": PRODUCT_VERSION,
        "productmajorversion": major,
        "productminorversion": minor,
        "productbuild": build,
        "productlevel": "RTM",
        "edition": "Developer Edition (64-bit)",
        "engineedition": 3,
        "servername": instance.name,
        "machinename": instance.name,
        "collation": "SQL_Latin1_General_CP1_CI_AS",
        "ishadrenabled": 0,
        "isxtpsupported": 1,
        "filestreameffectivelevel": 0,
    }
    return properties.get(str(name).lower())


def database_property(instance: Instance, name: str, what: str) -> int | None:
    """DATABASEPROPERTYEX(name, 'Version'), the version of the database's own format; None where it is not open."""
    database = instance.databases.find(name)
    is_open = database is not None and database.state == "ONLINE"
    return DATABASE_VERSION if is_open and str(what).lower() == "version" else None


def file_property(instance: Instance, session: Session, name: str, what: str) -> int | None:
    """FILEPROPERTY(name, what) of a file of the current database; None for another file, or another property."""
    database = instance.databases.get(session.database)
    return pages_of(database).get(name) if str(what).lower() == "spaceused" else None


def _database_id(instance: Instance, name: str) -> int | None:
    database = instance.databases.find(str(name))
    return database.id if database else None


def _database_name(instance: Instance, session: Session, number: int | None = None) -> str | None:
    if number is None:
        return session.database
    return next((database.name for database in instance.databases.all() if database.id == number), None)


def _coercion(kind: str) -> Callable[[object], str | None]:
    return lambda value: coerce(value, kind)


def _checksum(*values: object) -> int:
    """A number for a row's values: equal rows have equal numbers. The server's own formula is not published."""
    unsigned = zlib.crc32(repr(values).encode())
    return unsigned - 2**32 if unsigned >= 2**31 else unsigned


def _checksum_aggregate() -> tuple[Any, Callable[..., None], Callable[..., int]]:
    """CHECKSUM_AGG: the values of all rows, in whatever order they come."""

    def add(total: list[int], value: int | None) -> None:
        total[0] ^= value or 0

    return [0], add, lambda total: total[0]


def _styled(value: object, style: int, digits: int) -> str | None:
    """A date as CONVERT writes it in that style, a second's fraction in `digits` digits; a binary value in hexadecimal.

    https://learn.microsoft.com/sql/t-sql/functions/cast-and-convert-transact-sql#date-and-time-styles
    """
    if value is None:
        return None
    if isinstance(value, bytes) and style in _BINARY_STYLES:
        return _BINARY_STYLES[style] + value.hex().upper()
    if not isinstance(value, str) or style not in _DATE_STYLES:
        raise SqlServerError(UNSUPPORTED, f"CONVERT of such a value with the style {style}")
    moment = parse_moment(value)
    fraction = f".{moment.microsecond:06}0"[: digits + 1]
    if style == 126 and not moment.microsecond:
        fraction = ""
    return moment.strftime(_DATE_STYLES[style]).replace("#", fraction)


def _length(value: object) -> int | None:
    """LEN: bytes of a binary value, UTF-16 characters of any other; blanks at the end do not count."""
    if value is None:
        return None
    if isinstance(value, bytes):
        return len(value.rstrip(b" "))
    return len(str(value).rstrip(" ").encode("utf-16-le")) // 2


def _unit(unit: str) -> str:
    name = _UNITS.get(unit.lower(), unit.lower())
    if name not in _SECONDS:
        raise SqlServerError(UNSUPPORTED, f"the date part {unit}")
    return name


def _date_add(unit: str, number: int | None, moment: str | None) -> str | None:
    if number is None or moment is None:
        return None
    return stored(parse_moment(moment) + timedelta(seconds=number * _SECONDS[_unit(unit)]), "DATETIME2")


def _date_diff(unit: str, start: str | None, end: str | None) -> int | None:
    """How many boundaries of `unit` lie between two moments."""
    if start is None or end is None:
        return None
    size = _SECONDS[_unit(unit)]
    zero = parse_moment("19000107")  # a Sunday: weeks begin there
    first, last = ((parse_moment(moment) - zero) // timedelta(seconds=size) for moment in (start, end))
    return last - first
