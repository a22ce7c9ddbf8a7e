from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.rules.backup.finished import ZONES, finish_of, finished_part
from include.rules.points.backup_files import BackupFileClaim, StoredFile

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC).replace(tzinfo=None)  # as the server writes it
UNKNOWN = 127


def record(zone: int | None = 0, offset: int = 0, finish: datetime | None = NOON) -> dict[str, object]:
    return {
        "backup_set_uuid": "0B5F",
        "first_lsn": "31",
        "last_lsn": "47",
        "is_copy_only": 0,
        "backup_finish_date": finish,
        "time_zone": zone,
        "offset_minutes": offset,
    }


@pytest.mark.parametrize(
    ("zone", "offset", "hour", "minute"),
    [
        (0, 0, 12, 0),
        (-20, -300, 17, 0),  # New York in winter, as on the page of backupset
        (22, 330, 6, 30),  # India
        (-14, -210, 15, 30),  # Newfoundland
        (23, 345, 6, 15),  # Nepal
        (52, 780, 23, 0),  # New Zealand in summer; the day before
        (4, 120, 11, 0),  # its clocks were put forward since
        (UNKNOWN, 60, 11, 0),
        (None, -210, 15, 30),
        (UNKNOWN, 59, 11, 0),  # a minute has begun between the two times that the server subtracts
        (-128, 0, 12, 0),
    ],
)
def test_a_finish_is_told_in_utc_by_the_zone_of_then_or_else_by_the_one_of_now(
    zone: int | None, offset: int, hour: int, minute: int
) -> None:
    finish = finish_of(record(zone, offset))
    assert finish
    assert (finish.hour, finish.minute, finish.utcoffset()) == (hour, minute, timedelta(0))


@given(st.sampled_from(ZONES), st.timedeltas(timedelta(days=-9_000), timedelta(days=9_000)))
def test_every_zone_that_the_server_may_be_in_is_subtracted(zone: int, since: timedelta) -> None:
    finish, there = NOON + since, timezone(timedelta(minutes=15 * zone))
    assert finish_of(record(zone, finish=finish)) == finish.replace(tzinfo=there)


@pytest.mark.parametrize("zone", [0, UNKNOWN, None])
def test_a_backup_whose_finish_is_not_recorded_has_none(zone: int | None) -> None:
    assert finish_of(record(zone, finish=None)) is None


def test_a_backup_that_is_adopted_late_was_finished_when_the_server_says_and_else_is_now() -> None:
    claimed_at, now = datetime(2026, 11, 26, 11, tzinfo=UTC), datetime(2026, 11, 26, 13, tzinfo=UTC)
    claim = BackupFileClaim(number=1, keys=("k/full-01.bak",), name="acme-daily-20261126/01", claimed_at=claimed_at)
    files = [StoredFile(key="k/full-01.bak", size_bytes=1, etag="e")]
    assert finished_part(claim, files, record(), now).finished_at == NOON.replace(tzinfo=UTC)
    part = finished_part(claim, files, record(finish=None), now)
    assert (part.finished_at, part.started_at, part.backup_set_uuid, part.copy_only) == (now, claimed_at, "0B5F", False)
