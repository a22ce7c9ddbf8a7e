from datetime import datetime, timedelta, timezone

import pytest

from include.rules.points.moments import FIRST, LAST, in_utc, later


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        (datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=5))), LAST),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))), FIRST),
    ],
)
def test_what_lies_beyond_the_calendar_in_utc_is_its_end(moment: datetime, end: datetime) -> None:
    assert in_utc(moment) == end


def test_later_than_the_calendar_ends_is_its_end() -> None:
    assert later(LAST - timedelta(days=1), timedelta(hours=1)) == LAST - timedelta(hours=23)
    assert later(LAST - timedelta(days=1), timedelta(days=2)) == LAST
