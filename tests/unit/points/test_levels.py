"""How far a point can be proven: a snapshot of a volume that nobody has seen is worth less."""

from __future__ import annotations

import pytest

from include.rules.points.levels import not_looked_at, provable_level
from include.rules.points.listing import table
from include.rules.points.looks import VolumeLook
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName, SnapshotRole
from include.rules.register.findings import Finding, Weight
from tests.unit.builders import NOW, backup_file, running, snapshot, verified

SEEN, UNSEEN = VolumeLook(at=NOW), VolumeLook(at=NOW, not_looked_at="the agent is down")


def with_looks(web: VolumeLook | None, database: VolumeLook | None) -> Manifest:
    manifest = verified()
    for role, look in ((SnapshotRole.WEB, web), (SnapshotRole.DATABASE, database)):
        manifest = manifest.with_look(role, look) if look else manifest
    return manifest


@pytest.mark.parametrize(
    ("web", "database", "level"),
    [(SEEN, SEEN, 2), (SEEN, UNSEEN, 1), (UNSEEN, SEEN, 1), (UNSEEN, UNSEEN, 1), (SEEN, None, 1), (None, None, 1)],
)
def test_only_a_point_whose_volumes_were_all_seen_can_reach_level_2(
    web: VolumeLook | None, database: VolumeLook | None, level: int
) -> None:
    assert provable_level(with_looks(web, database)) == level


def test_a_part_that_is_left_out_needs_no_look() -> None:
    manifest = running().with_look(SnapshotRole.WEB, SEEN)
    manifest = manifest.with_snapshot(SnapshotRole.WEB, snapshot("vol-00000001"))
    assert provable_level(manifest) == 2
    assert provable_level(running().with_backup_file(backup_file(running()))) == 2


def test_the_list_names_what_was_not_looked_at_and_says_nothing_of_points_from_before() -> None:
    assert "web, db (not looked at), .bak" in table([with_looks(SEEN, UNSEEN)])
    assert "not looked at" not in table([verified()])
    assert not_looked_at(with_looks(UNSEEN, SEEN)) == {PartName.WEB_SNAPSHOT: "the agent is down"}


def test_a_part_that_is_forgotten_takes_its_look_with_it() -> None:
    assert set(with_looks(SEEN, SEEN).forgetting_part(PartName.WEB_SNAPSHOT).looks) == {"db_snapshot"}


def test_a_look_remembers_what_could_not_be_seen_and_what_is_worth_knowing() -> None:
    found = (Finding(Weight.NOT_LOOKED_AT, "a"), Finding(Weight.NOTE, "b", "c"), Finding(Weight.NOT_LOOKED_AT, "d"))
    look = VolumeLook.of(found, NOW)
    assert (look.not_looked_at, look.notes) == ("a; d", ("b, and the register says that c",))


def test_a_manifest_with_looks_survives_the_way_through_json() -> None:
    manifest = with_looks(SEEN, UNSEEN)
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest
