"""Calendar periods in UTC: the days, ISO weeks, months and years that recovery points stand for.

A period goes by its number on an endless scale of its unit, so that "twelve months back" is a subtraction: no month has
a 31st that the other lacks, and week 1 of a year is never taken for month 1 of it (both happened to others).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta


@dataclass(frozen=True)
class Unit:
    """One unit of the calendar.

    Attributes:
        tier: The tier of a retention policy that counts in this unit.
        number: The number of the period that a date falls into; consecutive periods have consecutive numbers.
        first_day: The first day of the period with a number.
        label: How the period with that first day is written, for instance `2026-W27`.
    """

    tier: str
    number: Callable[[date], int]
    first_day: Callable[[int], date]
    label: Callable[[date], str]

    def name(self, number: int) -> str:
        """The period as a reason names it, for instance `weekly 2026-W27`."""
        return f"{self.tier} {self.label(self.first_day(number))}"

    def last_day(self, number: int) -> date:
        """The last day of the period with this number."""
        return self.first_day(number + 1) - timedelta(days=1)


def _iso_week(monday: date) -> str:
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02d}"


DAY = Unit("daily", date.toordinal, date.fromordinal, date.isoformat)
WEEK = Unit(
    "weekly",
    lambda day: (day.toordinal() - 1) // 7,  # day 1 of the ordinals, 1 January of year 1, is a Monday
    lambda number: date.fromordinal(7 * number + 1),
    _iso_week,
)
MONTH = Unit(
    "monthly",
    lambda day: 12 * day.year + day.month - 1,
    lambda number: date(number // 12, number % 12 + 1, 1),
    lambda day: f"{day:%Y-%m}",
)
YEAR = Unit("yearly", lambda day: day.year, lambda number: date(number, 1, 1), lambda day: f"{day:%Y}")


@dataclass(frozen=True)
class Window:
    """The periods of one unit that a policy keeps: the current one and `before` earlier ones (None: all earlier)."""

    unit: Unit
    before: int | None

    def start(self, now: datetime) -> datetime:
        """The moment (UTC) at which the earliest period inside the window begins."""
        if self.before is None:
            return datetime.min.replace(tzinfo=UTC)
        first = self.unit.first_day(self.unit.number(now) - self.before)
        return datetime(first.year, first.month, first.day, tzinfo=UTC)

    def leaves_on(self, number: int) -> date | None:
        """The last day (UTC) on which the period with this number is inside the window; None when it stays for ever."""
        return None if self.before is None else self.unit.last_day(number + self.before)
