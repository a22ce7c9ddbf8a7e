"""Dates and times: read as T-SQL writes them, kept as text of one fixed form, so that text order is time order."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time

from lab.sqlserver.errors import SqlServerError

DATE_KINDS = frozenset({"DATE", "TIME", "DATETIME", "DATETIME2", "SMALLDATETIME"})

_DATE = r"(?P<year>\d{4})(?:(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})|(?P<month2>\d{2})(?P<day2>\d{2}))"
_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,7}))?)?Z?"
_MOMENT = re.compile(rf"(?:{_DATE})?(?:[ T]*{_TIME})?")
_EPOCH = date(1900, 1, 1)  # the date of a value that is only a time


def now() -> str:
    """The lab server's clock; its time zone is UTC."""
    return stored(datetime.now(UTC).replace(tzinfo=None), "DATETIME2")


def parse_moment(text: str) -> datetime:
    """A moment from `2026-11-23`, `20261123`, `2026/11/23 9:00`, `2026-11-23T09:00:00.1234567` or `09:00`.

    Raises SqlServerError 241 for anything else.
    """
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        raise SqlServerError(241)
    part = match.groupdict()
    try:
        day = (
            date(int(part["year"]), int(part["month"] or part["month2"]), int(part["day"] or part["day2"]))
            if part["year"]
            else _EPOCH
        )
        fraction = int((part["fraction"] or "").ljust(6, "0")[:6])
        clock = time(int(part["hour"] or 0), int(part["minute"] or 0), int(part["second"] or 0), fraction)
    except ValueError:
        raise SqlServerError(241) from None
    return datetime.combine(day, clock)


def stored(moment: datetime, kind: str) -> str:
    """The text in which a column of that kind keeps `moment`."""
    if kind == "DATE":
        return moment.date().isoformat()
    if kind == "TIME":
        return moment.time().isoformat(timespec="microseconds")
    if kind == "SMALLDATETIME":
        moment = moment.replace(second=0, microsecond=0)
    if kind == "DATETIME":
        moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    return moment.isoformat(sep=" ", timespec="microseconds")


def coerce(value: object, kind: str) -> str | None:
    """What a column or a CAST of that kind makes of any SQLite value."""
    return None if value is None else stored(parse_moment(str(value)), kind)
