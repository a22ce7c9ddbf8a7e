"""The fixture `one_day`: for tests on the real components that speak of one day and count its runs."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

HOURS = (9, 12, 24)
"""When `daily_backups`, `confirm_daily_backups` and `retention` begin by themselves, and when the day (UTC) ends."""
LONGEST_TEST = timedelta(minutes=5)
SETTLED = timedelta(minutes=1)
"""After which the runs that have begun by themselves are counted with those before."""


def wait_from(now: datetime) -> timedelta:
    """How long to wait so that no run begins by itself, and no day ends, within the longest test; mostly zero."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for begins in (midnight, *(midnight + timedelta(hours=hour) for hour in HOURS)):
        if now - SETTLED < begins < now + LONGEST_TEST:
            return begins + SETTLED - now
    return timedelta(0)


@pytest.fixture
def one_day() -> None:
    """The test begins and ends on one day (UTC), and nobody but the test starts the fleet's runs meanwhile."""
    time.sleep(wait_from(datetime.now(UTC)).total_seconds())
