"""Moments are compared and counted in UTC, whatever zone somebody has written them in."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
"""The ends of the calendar."""


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC.

    Raises:
        ValueError: when it names no zone: nobody can know which moment is meant.
    """
    if moment.tzinfo is UTC:  # what nearly all are; ten thousand of them are asked for one plan
        return moment
    if moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} names no zone, so that it is no moment")
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # beyond the calendar's ends, where somebody has written "for ever" or "never"
        return LAST if moment.year == LAST.year else FIRST


def later(moment: datetime, by: timedelta) -> datetime:
    """The moment that is so much later, or the last one of the calendar: documents are written by hand, too."""
    try:
        return moment + by
    except OverflowError:
        return LAST


def last_whole_day(end: datetime) -> date:
    """The last day (UTC) that is over before `end`: what ends at that moment is still there at the day's last midnight.

    On the day of `end` itself it goes some time, so that this may be yesterday.
    """
    return in_utc(end).date() - timedelta(days=1)
