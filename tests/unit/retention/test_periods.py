"""Calendar periods in UTC."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.rules.retention.periods import DAY, MONTH, WEEK, YEAR, Unit, Window
from tests.unit.retention.timelines import moment

UNITS = [DAY, WEEK, MONTH, YEAR]


@pytest.mark.parametrize(
    ("day", "named"),
    [
        ("2026-06-30", ["daily 2026-06-30", "weekly 2026-W27", "monthly 2026-06", "yearly 2026"]),
        ("2025-12-29", ["daily 2025-12-29", "weekly 2026-W01", "monthly 2025-12", "yearly 2025"]),
        ("2027-01-03", ["daily 2027-01-03", "weekly 2026-W53", "monthly 2027-01", "yearly 2027"]),
        ("2024-02-29", ["daily 2024-02-29", "weekly 2024-W09", "monthly 2024-02", "yearly 2024"]),
    ],
)
def test_a_day_belongs_to_one_period_of_each_tier(day: str, named: list[str]) -> None:
    assert [unit.name(unit.number(date.fromisoformat(day))) for unit in UNITS] == named


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.tier)
@settings(deadline=None)
@given(day=st.dates(date(1980, 1, 1), date(2400, 1, 1)))
def test_periods_follow_each_other_without_gap_or_overlap(unit: Unit, day: date) -> None:
    number = unit.number(day)
    assert unit.first_day(number) <= day <= unit.last_day(number)
    assert unit.number(unit.last_day(number) + timedelta(days=1)) == number + 1


def test_a_window_reaches_back_whole_periods() -> None:
    now = moment("2026-03-31T06")
    assert Window(DAY, 29).start(now) == moment("2026-03-02")
    assert Window(WEEK, 12).start(now) == moment("2026-01-05")
    assert Window(MONTH, 13).start(now) == moment("2025-02-01"), "there is no 31 February to stumble over"
    assert Window(YEAR, 1).start(now) == moment("2025-01-01")


@pytest.mark.parametrize(("unit", "before"), [(DAY, 29), (WEEK, 12), (MONTH, 12), (YEAR, 3)])
@settings(deadline=None)
@given(day=st.dates(date(1980, 1, 1), date(2400, 1, 1)))
def test_a_period_leaves_its_window_after_the_day_that_is_named(unit: Unit, before: int, day: date) -> None:
    window = Window(unit, before)
    leaves = window.leaves_on(unit.number(day))
    assert leaves
    last, next_day = (moment(f"{when.isoformat()}T12") for when in (leaves, leaves + timedelta(days=1)))
    assert window.start(last).date() <= unit.first_day(unit.number(day)) < window.start(next_day).date()


def test_a_window_without_limit_is_never_left() -> None:
    assert Window(YEAR, None).leaves_on(2026) is None
    assert Window(YEAR, None).start(moment("2026-03-31")).year == 1
