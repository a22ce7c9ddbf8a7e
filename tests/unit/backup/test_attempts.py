"""Attempts: the same id again means nothing to do, going on, or beginning anew with what is still fresh."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.rules.backup.attempts import is_overtaken, is_settled, next_attempt, resumed
from include.rules.errors import RefusedError
from include.rules.points.backup_files import DatabaseFile, FileType
from include.rules.points.leases import Restored
from include.rules.points.looks import VolumeLook
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName, SnapshotRole
from include.rules.points.transitions import State
from include.rules.retention.expiry import marked
from tests.unit.builders import NOW, backup_file, database_settings, running, snapshot, tenant, verified

LATER = NOW + timedelta(minutes=30)
TOO_LATE = NOW + timedelta(minutes=60)
LOOK = VolumeLook(at=NOW)


def failed_with_all_parts() -> Manifest:
    manifest = running()
    for role in SnapshotRole:
        manifest = manifest.with_look(role, LOOK).with_snapshot(role, snapshot(manifest.volume_of(role)))
    return manifest.with_backup_file(backup_file(manifest)).with_failure("disk full").closed(NOW)


def again(manifest: Manifest, now=LATER, restored: Restored | None = None, **changes) -> Manifest:
    owner = "lab/tenant_backup/two"
    return next_attempt(manifest, tenant(**changes), owner=owner, token=9, now=now, restored=restored)


def test_a_verified_point_needs_nothing() -> None:
    assert is_settled(verified())
    assert not is_settled(running())


@pytest.mark.parametrize("state", [State.EXPIRING, State.EXPIRED])
def test_a_point_that_retention_takes_away_is_not_made_again(state: State) -> None:
    with pytest.raises(RefusedError, match=f"acme-daily-20261123 of tenant acme is {state}"):
        is_settled(verified().model_copy(update={"state": state}))


def test_a_point_that_a_hold_brings_back_is_refused_with_the_run_to_start() -> None:
    with pytest.raises(RefusedError, match=r"manual backup instead, or bring it back with `hold_recovery_point`"):
        is_settled(marked(verified(), NOW))


def test_a_new_attempt_adopts_fresh_parts() -> None:
    manifest = again(failed_with_all_parts())
    assert manifest.parts == failed_with_all_parts().parts
    assert (manifest.state, manifest.attempt, manifest.token) == (State.RUNNING, 2, 9)
    assert manifest.failure is None
    assert manifest.closed_at is None
    assert manifest.time == NOW


def test_a_new_attempt_replaces_parts_that_are_an_hour_old() -> None:
    manifest = again(failed_with_all_parts(), now=TOO_LATE)
    assert manifest.parts.missing() == ("web_snapshot", "db_snapshot", "bak")
    assert manifest.time is None


def test_a_new_attempt_does_not_adopt_parts_of_another_volume_or_database() -> None:
    moved = tenant().model_dump()
    web = {**moved["web"], "volume": "vol-0000ffff"}
    assert again(failed_with_all_parts(), web=web).parts.missing() == ("web_snapshot",)
    database = {**moved["database"], "name": "another"}
    assert again(failed_with_all_parts(), database=database).parts.missing() == ("db_snapshot", "bak")


@pytest.mark.parametrize("change", [{"path": "/srv/acme/new"}, {"mount": "/srv"}, {"instance": "i-0000ffff"}])
def test_a_snapshot_is_not_adopted_when_the_register_says_something_else_of_its_volume_now(
    change: dict[str, str],
) -> None:
    manifest = again(failed_with_all_parts(), web={**tenant().model_dump()["web"], **change})
    assert manifest.parts.missing() == ("web_snapshot",)
    assert set(manifest.looks) == {"db_snapshot"}


@pytest.mark.parametrize("looks", [{}, {"web_snapshot": VolumeLook(at=NOW, not_looked_at="the host was silent")}])
def test_a_snapshot_of_a_volume_that_nobody_has_seen_is_not_adopted(looks: dict[PartName, VolumeLook]) -> None:
    manifest = failed_with_all_parts()
    seen = {PartName.DB_SNAPSHOT: LOOK, **looks}
    assert again(manifest.model_copy(update={"looks": seen})).parts.missing() == ("web_snapshot",)


def test_a_new_attempt_adopts_nothing_from_before_or_during_a_restore() -> None:
    manifest = failed_with_all_parts().with_claim("p/", NOW, stripes=1)
    later = again(manifest, restored=Restored(token=manifest.opened_under - 1, until=NOW))
    assert (later.parts, later.claim, later.looks) == (manifest.parts, manifest.claim, manifest.looks)
    anew = again(manifest, restored=Restored(token=manifest.opened_under, until=NOW))
    assert anew.parts.missing() == ("web_snapshot", "db_snapshot", "bak")
    assert anew.claim
    assert anew.claim.discarded
    assert (anew.looks, anew.time, anew.opened_under) == ({}, None, 9)


def test_a_manifest_of_an_earlier_version_is_from_before_any_restore() -> None:
    old = failed_with_all_parts().model_dump(mode="json", exclude={"opened_under"})
    assert is_overtaken(Manifest.model_validate(old), Restored(token=1, until=NOW))
    assert not is_overtaken(Manifest.model_validate(old), None)


def test_the_same_run_does_not_go_on_after_a_restore() -> None:
    def own(restore_token: int) -> Manifest | None:
        restored = Restored(restore_token, until=NOW)
        return resumed(running(), owner="lab/tenant_backup/one", token=5, now=LATER, restored=restored)

    going_on = own(restore_token=0)
    assert going_on
    assert going_on.opened_under == 5
    assert own(restore_token=1) is None


def test_file_names_are_never_used_twice_over_all_attempts() -> None:
    first = running().with_claim("p/", NOW, stripes=1)
    second = again(first.closed(NOW)).with_claim("p/", LATER, stripes=2)
    assert first.claim
    assert second.claim
    assert (first.claim.keys, second.claim.keys) == (("p/full-01.bak",), ("p/full-02-01.bak", "p/full-02-02.bak"))
    assert second.claim.name == "acme-daily-20261123/full-02"


def test_where_the_files_of_another_database_lie_is_forgotten() -> None:
    files = (DatabaseFile(logical_name="shop", physical_path="/data/shop.mdf", type=FileType.ROWS),)
    manifest = failed_with_all_parts().with_database(files, database_settings())
    assert again(manifest).database_files == files
    assert again(manifest).database_settings == database_settings()
    of_another = again(manifest, database={**tenant().model_dump()["database"], "name": "another"})
    assert (of_another.database_files, of_another.database_settings) == ((), None)


def test_the_same_run_goes_on_with_its_own_attempt() -> None:
    own = resumed(running(), owner="lab/tenant_backup/one", token=5, now=LATER)
    assert own
    assert (own.attempt, own.token) == (1, 5)
    assert resumed(running(), owner="lab/tenant_backup/two", token=5, now=LATER) is None
    assert resumed(failed_with_all_parts(), owner="lab/tenant_backup/one", token=5, now=LATER) is None
    closed_unverified = running().complete().with_failure("server down").closed(NOW)
    assert resumed(closed_unverified, owner="lab/tenant_backup/one", token=5, now=LATER) is None


def test_closing_fails_what_is_unfinished_and_keeps_what_is_complete() -> None:
    assert running().closed(NOW).state is State.FAILED
    assert running().closed(NOW).failure == "The run was ended before it was done."
    assert running().with_failure("no disk").closed(NOW).failure == "no disk"
    assert running().complete().closed(NOW).state is State.PENDING
    assert verified().closed(LATER).state is State.VERIFIED


def test_a_part_that_cannot_be_trusted_makes_the_point_incomplete_again() -> None:
    manifest = again(failed_with_all_parts()).complete().without_part(PartName.BAK)
    assert manifest.parts.missing() == ("bak",)
    assert manifest.closed(NOW).state is State.FAILED


def test_the_time_of_a_point_is_the_start_of_its_first_snapshot() -> None:
    manifest = running()
    later, earlier = NOW + timedelta(seconds=9), NOW + timedelta(seconds=4)
    manifest = manifest.with_snapshot(SnapshotRole.WEB, snapshot("vol-00000001", later))
    manifest = manifest.with_snapshot(SnapshotRole.DATABASE, snapshot("vol-000000db", earlier))
    assert manifest.time == earlier


def test_a_manifest_survives_the_way_through_json() -> None:
    assert Manifest.model_validate_json(verified().model_dump_json()) == verified()


def test_parts_of_two_days_are_never_joined_by_going_on() -> None:
    begun = running().with_snapshot(SnapshotRole.WEB, snapshot("vol-00000001"))
    assert resumed(begun, owner="lab/tenant_backup/one", token=5, now=LATER)
    assert resumed(begun, owner="lab/tenant_backup/one", token=5, now=TOO_LATE) is None
