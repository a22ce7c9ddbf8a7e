"""Whether a database is still the one that it was: the server's facts decide, and what nobody knows stays in doubt."""

from __future__ import annotations

from typing import Any

import pytest

from include.rules.restore.database_identity import DatabaseIdentity, is_untouched
from include.rules.restore.record import RESTORE_DATABASE, RestoreRecord
from tests.unit.restore.test_record import done, opened


def database(state: str = "ONLINE", **facts: Any) -> DatabaseIdentity:
    known: dict[str, Any] = {"number": 7, "created": "2026-01-01T00:00:00", "recovery_fork": "A", "last_restore": 3}
    return DatabaseIdentity(state=state, **(known | facts))


NONE = DatabaseIdentity()


@pytest.mark.parametrize(
    ("before", "now", "untouched"),
    [
        (database(), database(), True),
        (database("OFFLINE", recovery_fork=""), database("OFFLINE", recovery_fork=""), True),
        (database("OFFLINE", recovery_fork=""), database(), True),
        (database("SUSPECT", recovery_fork=""), database("SUSPECT", recovery_fork=""), True),
        (NONE, NONE, True),
        (database(), database("RESTORING", recovery_fork=""), False),
        (database(), database(recovery_fork="B", last_restore=4), False),
        (database(), database(recovery_fork="B"), False),
        (database("OFFLINE", recovery_fork=""), database(last_restore=4), False),
        (database(), database("OFFLINE", recovery_fork=""), False),
        (database(), database("SUSPECT", recovery_fork=""), False),
        (database(), database(number=9, created="2026-11-23T00:00:00"), False),
        (database(), NONE, False),
        (NONE, database("RESTORING"), False),
        (NONE, database(), False),
        (database("RESTORING", recovery_fork=""), database("RESTORING", recovery_fork=""), False),
        (None, database(), False),
    ],
)
def test_a_database_is_untouched_only_when_the_server_says_all_the_same_of_it(
    before: DatabaseIdentity | None, now: DatabaseIdentity, untouched: bool
) -> None:
    assert is_untouched(before, now) is untouched


def test_a_later_attempt_is_held_against_what_the_database_was_before_the_first() -> None:
    first = opened().beginning_on_database(database())
    again = first.beginning_on_database(database("RESTORING"))
    assert again.database_before == database()
    withdrawn = again.not_begun_on(RESTORE_DATABASE)
    assert withdrawn.beginning_on_database(database(last_restore=8)).database_before == database(last_restore=8)


def test_a_record_of_before_that_noted_nothing_stays_in_doubt() -> None:
    old = opened().beginning_on(RESTORE_DATABASE, "Database shop_acme").model_dump(mode="json", by_alias=True)
    del old["database_before"]
    record = RestoreRecord.model_validate(old)
    assert record.beginning_on_database(database()).database_before is None
    assert done(record).in_doubt == ("Database shop_acme",)
