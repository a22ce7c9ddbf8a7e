"""The volumes that a restore makes, as its record knows them: one that was asked for can be asked for again."""

from __future__ import annotations

from include.rules.restore.made_volumes import asking_for_volume, with_volume, without_asked_volume, without_volumes
from tests.unit.restore.test_record import planned


def test_a_volume_is_known_with_its_snapshot_until_its_answer_comes() -> None:
    asked = asking_for_volume(
        asking_for_volume(planned(), "web_snapshot", "t1", "snap-1"), "db_snapshot", "t2", "snap-2"
    )
    assert asked.asked_volumes == {"web_snapshot": "t1", "db_snapshot": "t2"}
    assert asked.asked_snapshots == {"web_snapshot": "snap-1", "db_snapshot": "snap-2"}
    answered = with_volume(asked, "web_snapshot", "vol-1")
    assert (answered.volumes, answered.asked_snapshots) == ({"web_snapshot": "vol-1"}, {"db_snapshot": "snap-2"})
    refused = without_asked_volume(answered, "db_snapshot")
    assert (refused.asked_volumes, refused.asked_snapshots) == ({}, {})
    assert without_volumes(asked) == without_volumes(refused) == planned()
