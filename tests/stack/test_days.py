"""Tests that speak of one day begin where no midnight and no run by itself comes between."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.days import HOURS, LONGEST_TEST, wait_from


@pytest.mark.parametrize(
    ("now", "minutes"),
    [
        ("2026-11-26T00:00:30", 0.5),
        ("2026-11-26T02:59:00", 0),
        ("2026-11-26T08:57:00", 4),
        ("2026-11-26T12:00:00", 1),
        ("2026-11-26T23:54:00", 0),
        ("2026-11-30T23:59:30", 1.5),
        ("2026-12-31T23:59:30", 1.5),
        ("2028-02-28T23:58:00", 3),
        ("2028-02-29T23:59:59", 61 / 60),
    ],
)
def test_a_test_of_one_day_waits_for_the_next_where_this_one_ends(now: str, minutes: float) -> None:
    assert wait_from(datetime.fromisoformat(now).replace(tzinfo=UTC)) == timedelta(minutes=minutes)


@pytest.mark.parametrize("day", ["2028-02-29", "2026-12-31", "2026-06-30"])
def test_at_every_minute_of_a_day_there_is_time_for_the_longest_test(day: str) -> None:
    midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
    for minute in range(24 * 60):
        now = midnight + timedelta(minutes=minute)
        begins = now + wait_from(now)
        start = begins.replace(hour=0, minute=0)
        for hour in (0, *HOURS):
            assert not begins <= start + timedelta(hours=hour) < begins + LONGEST_TEST


def test_every_hour_at_which_a_dag_begins_by_itself_is_known() -> None:
    dags = "".join(file.read_text() for file in (Path(__file__).parents[2] / "dags").glob("*.py"))
    schedules = re.findall(r"Timetable\(\"([^\"]*)\"", dags)
    assert {f"0 {hour} * * *" for hour in HOURS if hour < 24} == set(schedules)
