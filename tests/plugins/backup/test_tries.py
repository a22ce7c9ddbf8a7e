"""How often a backup is made again: by the kind of its fault, and never the same again where that cannot help."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.rules.points.backup_files import MOST_STRIPES, BackupFileClaim, stripes_after
from perennial.backup.tries import Tries
from perennial.hooks.sql_server.errors import SqlServerError

PAUSES = (5.0, 10.0, 20.0, 40.0, 80.0)
URL = "s3://vault/acme/full-01.bak"
OPEN, WRITE, READ = (
    "Cannot open backup device '{}'. Operating system error {}.",
    'Write on "{}" failed: {}',
    'Read on "{}" failed: {}',
)


def claim(stripes: int, *, met_limit: bool = False) -> BackupFileClaim:
    keys = tuple(f"full-01-{number}.bak" for number in range(stripes))
    return BackupFileClaim(number=1, keys=keys, name="a", claimed_at=datetime.now(UTC), met_limit=met_limit)


def pauses_after(error: SqlServerError, stripes: int = 1) -> list[float]:
    """The pauses before each next try when the same error ends all of them."""
    tries, pauses = Tries(PAUSES, second_look=60), []
    while (pause := tries.pause_after(error, claim(stripes))) is not None:
        pauses.append(pause)
    return pauses


@pytest.mark.parametrize(
    "error",
    [
        SqlServerError(3201, OPEN.format(URL, "64(gone)")),
        SqlServerError(3202, WRITE.format(URL, "64(gone)")),
        SqlServerError(3271, 'A nonrecoverable I/O error occurred on file "https://a/b:" (503) Server busy.'),
        SqlServerError(3204, "The backup or restore was aborted."),
        SqlServerError(3296, "exists"),
        SqlServerError(1205, "deadlock"),
        SqlServerError(17187, "not ready"),
        SqlServerError(20017, "hung up"),
    ],
)
def test_what_may_pass_is_tried_for_a_while(error: SqlServerError) -> None:
    assert pauses_after(error) == list(PAUSES)


@pytest.mark.parametrize(
    "error",
    [
        SqlServerError(3201, OPEN.format(URL, "5(denied)")),
        SqlServerError(3201, OPEN.format(URL, "50(no bucket)")),
        SqlServerError(3202, WRITE.format(URL, "112(full)")),
        SqlServerError(3013, "terminating", 14),
        SqlServerError(18456, "Login failed"),
        SqlServerError(9002, "log full"),
        SqlServerError(3013, "terminating", 16),
    ],
)
def test_what_will_be_refused_again_is_not_tried_again(error: SqlServerError) -> None:
    assert pauses_after(error) == []


@pytest.mark.parametrize(
    "error",
    [
        SqlServerError(3043, "error on page"),
        SqlServerError(824, "incorrect checksum", 24),
        SqlServerError(3203, READ.format("D:\\shop.mdf", "23(checksum)")),
    ],
)
def test_what_seems_damaged_is_read_a_second_time_after_a_while(error: SqlServerError) -> None:
    assert pauses_after(error) == [60]


@pytest.mark.parametrize("system", [87, 1117])
def test_files_that_cannot_hold_the_backup_are_never_asked_for_a_third_time_in_the_same_number(system: int) -> None:
    error = SqlServerError(3202, WRITE.format(URL, f"{system}(limit)"))
    assert pauses_after(error) == [0, 0]
    assert pauses_after(error, stripes=MOST_STRIPES) == []
    assert stripes_after(claim(1, met_limit=True), needed=1) == 2
    assert stripes_after(claim(3, met_limit=True), needed=4) == 6
    assert stripes_after(claim(40, met_limit=True), needed=4) == MOST_STRIPES
    assert stripes_after(claim(8), needed=1) == stripes_after(None, needed=1) == 1


def test_a_limit_of_a_disk_is_not_one_of_the_files() -> None:
    assert pauses_after(SqlServerError(3202, WRITE.format("D:\\a.bak", "665(file system limit)"))) == []


def test_what_nobody_can_explain_is_tried_once_more() -> None:
    assert pauses_after(SqlServerError(3202, WRITE.format(URL, "31(not functioning)"))) == [PAUSES[0]]
    assert pauses_after(SqlServerError(3271, 'A nonrecoverable I/O error occurred on file "s3://a/b:" odd.')) == [5.0]
