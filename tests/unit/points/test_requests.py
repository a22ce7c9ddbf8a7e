"""Requests: one string says it all, and every step reads the same id from it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.rules.errors import ConfigurationError
from include.rules.points.requests import BackupRequest, Kind, daily_partition, slot


@pytest.mark.parametrize(
    ("text", "point_id"),
    [
        ("acme|daily|2026-11-23", "acme-daily-20261123"),
        ("acme|daily|2026-11-23 23:30:00+00:00", "acme-daily-20261123"),
        ("acme|daily|2026-11-23T23:30:00-02:00", "acme-daily-20261124"),
        ("acme|hourly|2026-11-23T09:15:00Z", "acme-hourly-20261123T09"),
        ("big-shop-2|manual|2026-11-23T10:15:02.123456+00:00", "big-shop-2-manual-20261123T101502Z"),
    ],
)
def test_a_request_names_its_recovery_point_in_utc(text: str, point_id: str) -> None:
    assert BackupRequest.parse(text).recovery_point_id == point_id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "acme",
        "acme|daily",
        "acme|daily|",
        "acme|weekly|2026-11-23",
        "acme|daily|tomorrow",
        "acme|daily|P3D",
        "../etc|daily|2026-11-23",
        "a/b|daily|2026-11-23",
        "|daily|2026-11-23",
        "acme|daily|2026-11-23|more",
        "None|daily|None",
    ],
)
def test_what_is_no_request_is_refused_with_a_message_that_shows_it(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        BackupRequest.parse(text)
    assert repr(text) in str(caught.value)
    assert "Nothing was done." in str(caught.value)


@given(st.text())
def test_nonsense_never_gets_past_the_parser(text: str) -> None:
    try:
        request = BackupRequest.parse(text)
    except ConfigurationError:
        return
    assert request.kind in Kind


@given(st.dates(min_value=date(2000, 1, 1), max_value=date(2100, 1, 1)))
def test_the_partition_of_a_day_asks_for_that_day(day: date) -> None:
    assert BackupRequest.parse(daily_partition("acme", day)).slot == day.strftime("%Y%m%d")


@given(
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)),  # noqa: DTZ001 - the zone follows
    st.integers(min_value=-12, max_value=14),
)
def test_a_slot_does_not_depend_on_the_zone_in_which_a_moment_is_written(moment: datetime, hours: int) -> None:
    utc = moment.replace(tzinfo=UTC)
    elsewhere = utc.astimezone(timezone(timedelta(hours=hours)))
    assert all(slot(kind, utc) == slot(kind, elsewhere) for kind in Kind)
