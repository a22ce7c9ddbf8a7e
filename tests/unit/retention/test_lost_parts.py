"""When a recovery point has lost a part, and what it is then."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName, SnapshotRole
from include.rules.points.transitions import State
from include.rules.retention.expiry import deletion_begun, marked, taken_back
from include.rules.retention.lost_parts import absent, failed_for_want_of, is_suspect, report_lost_parts
from tests.unit.builders import NOW, running, snapshot, verified

POINT = verified().with_snapshot(SnapshotRole.DATABASE, snapshot("vol-000000db", snapshot_id="snap-db"))
SNAPSHOTS = ["snap-0123456789abcdef0", "snap-db"]
FILES = ["recovery-points/acme/acme-daily-20261123/full-01.bak"]
LATER = NOW + timedelta(days=1)
EXPIRING = marked(POINT, LATER)


def test_what_the_listings_show_is_there() -> None:
    assert not is_suspect(POINT, SNAPSHOTS, FILES, LATER)


@pytest.mark.parametrize("manifest", [POINT, POINT.model_copy(update={"state": State.PENDING}), EXPIRING])
def test_a_point_of_worth_without_one_of_its_parts_is_suspect(manifest: Manifest) -> None:
    for snapshots, files in (([], FILES), (SNAPSHOTS[:1], FILES), (SNAPSHOTS, [])):
        assert is_suspect(manifest, snapshots, files, LATER)


@pytest.mark.parametrize(
    "manifest", [running(), running().closed(NOW), deletion_begun(EXPIRING, LATER), POINT.closed(LATER)]
)
def test_a_point_that_is_worth_nothing_or_was_just_made_is_not(manifest: Manifest) -> None:
    assert not is_suspect(manifest, [], [], LATER + timedelta(minutes=30))


def test_a_part_that_was_left_out_is_not_missing() -> None:
    files_only = POINT.forgetting_part(PartName.DB_SNAPSHOT).model_copy(
        update={"left_out": {PartName.DB_SNAPSHOT: "not its half"}}
    )
    assert absent(files_only, SNAPSHOTS, FILES) == ()
    assert absent(files_only, [], FILES) == ("web_snapshot",)
    assert absent(POINT.forgetting_part(PartName.BAK), SNAPSHOTS, FILES) == (PartName.BAK,)


def test_a_point_that_has_lost_a_part_has_failed_from_now_on_and_no_later_attempt_adopts_the_part() -> None:
    failed = failed_for_want_of(POINT, [PartName.DB_SNAPSHOT, PartName.BAK], LATER)
    assert (failed.state, failed.closed_at, failed.verification) == (State.FAILED, LATER, None)
    assert failed.missing() == ("db_snapshot", "bak")
    assert failed.failure == (
        "Found by retention on 2026-11-24: gone without its doing are db_snapshot snap-db, files of its .bak."
    )


def test_an_expiring_point_that_has_lost_a_part_comes_back_as_failed() -> None:
    lost = failed_for_want_of(EXPIRING, [PartName.BAK], LATER)
    assert lost.state is State.EXPIRING
    assert taken_back(lost).state is State.FAILED


def test_a_person_is_told_the_newest_ones_and_how_many_more() -> None:
    points = {f"p{n:02}": verified("acme|daily|2026-11-23", NOW + timedelta(days=n)) for n in range(12)}
    reasons_of = str(report_lost_parts("acme", points, dict.fromkeys(points, (PartName.BAK,))))
    assert "deleted: p11 (files of its .bak), p10 (" in reasons_of
    assert "p02 (files of its .bak), 2 more." in reasons_of
