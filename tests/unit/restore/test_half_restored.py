"""A half restored tenant: which restore has left it so, and which recovery points may mend it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from include.rules.restore.half_restored import (
    CLOCKS_DIFFER,
    half_restored_by,
    is_settled,
    points_needed_by_half_restored,
)
from include.rules.restore.outcome import finished
from include.rules.restore.record import CHECK, COPY_FILES, RestoreRecord
from tests.unit.builders import NOW
from tests.unit.restore.test_record import POINT, done, opened, planned

SITE = "/srv/acme/site"


def begun(hours: int = 0, **changes: Any) -> RestoreRecord:
    """A restore that has begun to overwrite the site, so many hours after the others."""
    record = opened().beginning_on(COPY_FILES, SITE)
    return record.model_copy(update={"opened_at": NOW + timedelta(hours=hours), **changes})


BROKEN = finished(begun(), NOW)
UNCHANGED = finished(opened(replaces_files=False, replaces_database=False), NOW).model_copy(
    update={"opened_at": NOW + timedelta(hours=1)}
)
WHOLE = finished(done(begun(2), CHECK), NOW)


def test_the_last_restore_that_has_changed_anything_says_whether_the_tenant_is_half_restored() -> None:
    assert half_restored_by([BROKEN, UNCHANGED]) is BROKEN
    assert half_restored_by([WHOLE, BROKEN, UNCHANGED]) is None
    assert half_restored_by([planned(), UNCHANGED]) is None


def test_a_restore_that_has_left_the_tenant_half_restored_needs_its_source_and_its_safety_point() -> None:
    needed = {POINT.id: BROKEN.id, "acme-safety-1": BROKEN.id}
    assert points_needed_by_half_restored("acme", [UNCHANGED, BROKEN]) == needed
    assert points_needed_by_half_restored("acme", [begun()]) == needed, "also while it is at work"
    assert points_needed_by_half_restored("acme", [BROKEN, UNCHANGED, WHOLE]) == {}
    assert points_needed_by_half_restored("acme-2", [BROKEN]) == {"acme-safety-1": BROKEN.id}, (
        "the source is another tenant's"
    )


def test_the_safety_point_of_the_first_of_several_unfinished_restores_is_needed_until_one_is_done() -> None:
    second = begun(3, id="acme-restore-2", safety_point="acme-safety-2", inherited={COPY_FILES: SITE})
    assert points_needed_by_half_restored("acme", [BROKEN, second]) == {
        POINT.id: "acme-restore-2", "acme-safety-2": "acme-restore-2", "acme-safety-1": BROKEN.id
    }  # fmt: skip
    assert points_needed_by_half_restored("acme", [BROKEN, WHOLE, second]) == {
        POINT.id: "acme-restore-2", "acme-safety-2": "acme-restore-2"
    }  # fmt: skip


def test_only_a_restore_that_has_ended_whole_settles_what_was_written_before_it_was_opened() -> None:
    opened_at = NOW + timedelta(hours=2)
    assert is_settled([WHOLE], opened_at - timedelta(minutes=6))
    assert not is_settled([WHOLE], opened_at - CLOCKS_DIFFER), "the clocks may differ by so much"
    assert not is_settled([BROKEN, UNCHANGED, planned()], NOW - timedelta(days=400))
