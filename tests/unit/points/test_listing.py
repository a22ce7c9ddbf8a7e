"""The table of recovery points."""

from __future__ import annotations

from datetime import timedelta

from include.rules.points.holds import Hold
from include.rules.points.listing import table
from include.rules.points.parts import SnapshotRole
from include.rules.retention.expiry import deletion_begun, marked
from tests.unit.builders import NOW, running, verified


def test_the_newest_stands_first_and_each_says_what_it_is_worth() -> None:
    old = verified("acme|daily|2026-11-22", NOW - timedelta(days=1))
    failed = running().with_failure("no disk,\nreally").closed(NOW)
    lines = table([old, failed]).splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["acme-daily-20261123", "acme-daily-20261122"]
    assert "failed" in lines[1]
    assert "nothing" in lines[1]
    assert lines[1].endswith("no disk, really")
    assert "web, db, .bak" in lines[2]


def test_snapshots_that_other_points_may_use_are_listed_as_shared() -> None:
    point = verified()
    assert point.parts.web_snapshot
    web = point.parts.web_snapshot.model_copy(update={"claim": "20261123-01"})
    assert "web (shared), db, .bak" in table([point.with_snapshot(SnapshotRole.WEB, web)])


def test_a_tenant_without_any_is_an_empty_table() -> None:
    assert len(table([]).splitlines()) == 1


def test_holds_locks_and_the_day_on_which_an_expiring_point_goes_are_listed() -> None:
    hold = Hold(reason="case 4711", author="ada", placed_at=NOW)
    manifest = verified().model_copy(update={"locked_until": NOW + timedelta(days=3), "hold": hold})
    assert "locked until 2026-11-26; hold for ever (case 4711, placed by ada)" in table([manifest])
    assert "goes 2026-11-24 09:00Z" in table([marked(verified(), NOW)])
    assert "deletion began 2026-11-25" in table([deletion_begun(marked(verified(), NOW), NOW + timedelta(days=2))])
