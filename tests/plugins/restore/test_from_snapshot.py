"""The second way back: where the .bak is damaged or missing, the database comes from the snapshot of its volume."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from include.rules.errors import PerennialError, RefusedError
from include.rules.restore.request import DatabaseSource
from perennial.restore.database import RestoreDatabaseTrigger
from perennial.restore.database_preparation import PrepareDatabaseTrigger
from tests.support import sweeps
from tests.support.backup_files import delete_backup_file
from tests.support.restores import (
    POINT,
    access,
    assert_all_is_back,
    assert_nothing_is_left,
    backed_up,
    damage,
    database,
    record,
    state,
    volumes_left,
    wreck,
)
from tests.support.steps import RESTORE, TODAY
from tests.support.triggers import CutOff
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab


def lose(world: World) -> None:
    """The .bak is deleted from the vault."""
    world.runner.run(delete_backup_file(world.vault, world.files(TODAY)[0]))


def truncate(world: World) -> None:
    """Half of the .bak is gone."""
    (key,) = world.files(TODAY)
    body = world.read_file(key)
    world.write_file(key, body[: len(body) // 2])


def swap(world: World) -> None:
    """Another backup of the same database lies in the place of this one, of the size that the manifest knows."""
    (key,) = world.files(TODAY)
    world.back_up("acme|manual|2026-11-23T11:00:00Z")
    world.write_file(key, world.read_file(world.files("acme|manual|2026-11-23T11:00:00Z")[0]))
    world.record_files_as_they_are(TODAY)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lose, "is missing from the vault"),
        (damage, "is damaged"),
        (truncate, "bytes instead of"),
        (swap, "is another backup than the one that was verified"),
    ],
)
def test_a_database_without_its_backup_file_comes_back_from_the_snapshot_once_approved(
    backed_up: World, harm: Callable[[World], None], reason: str
) -> None:
    before = state(backed_up)
    wreck(backed_up)
    harm(backed_up)
    form = {"recovery_point": POINT}
    preview = backed_up.run_restore_step(RESTORE[0], **form)
    assert len(preview["approval"]) == 1
    assert reason in preview["approval"][0]
    assert "crash-consistent" in preview["approval"][0]
    backed_up.carry_out(RESTORE[1:], **form)
    assert record(backed_up).plan.database_from is DatabaseSource.SNAPSHOT
    assert_all_is_back(backed_up, before)


def test_the_snapshot_can_be_asked_for_and_another_name_given(backed_up: World) -> None:
    rows, copy = backed_up.rows("acme"), f"{database(backed_up)}_copy"
    wrecked = wreck(backed_up)
    backed_up.restore(what="database", database=copy, database_from="snapshot")
    assert backed_up.sql.run("SELECT id, customer FROM dbo.orders ORDER BY id", database=copy) == rows
    assert state(backed_up) == wrecked
    assert_nothing_is_left(backed_up)


@pytest.mark.timeout(600)
@sweeps.every(10, closest=2)
def test_the_attaching_cut_off_at_any_await_and_begun_again_ends_right(backed_up: World, every: int) -> None:
    before, form = state(backed_up), {"what": "database", "database_from": "snapshot"}
    cuts = 0
    for step in RESTORE:
        if step[0] in (PrepareDatabaseTrigger, RestoreDatabaseTrigger):
            for suspension in range(1, 400, every):
                trigger = backed_up.restore_step(step, **form)
                if not backed_up.runner.run(CutOff.run(trigger.work_within_deadline(), suspension)):
                    break
                cuts += 1
        backed_up.run_restore_step(step, **form)
    assert cuts > 20 // every
    assert state(backed_up) == before
    assert_nothing_is_left(backed_up)


def test_a_snapshot_whose_database_is_damaged_leaves_the_standing_one_alone(backed_up: World) -> None:
    manifest = backed_up.manifest(TODAY)
    assert manifest.parts.db_snapshot
    snapshot = backed_up.cloud.snapshot_path(manifest.parts.db_snapshot.snapshot_id)
    for file in snapshot.rglob("*"):
        if file.is_file() and database(backed_up) in file.name and file.stat().st_size > 8192:
            body = bytearray(file.read_bytes())
            body[4096:8192] = bytes(4096)
            file.write_bytes(body)
    rows = wreck(backed_up)[1]
    with pytest.raises(PerennialError):
        backed_up.restore(what="database", database_from="snapshot")
    with pytest.raises(PerennialError):
        backed_up.run_restore_step(RESTORE[-1], what="database", database_from="snapshot")
    assert backed_up.rows("acme") == rows
    assert access(backed_up) == ("ONLINE", "MULTI_USER")
    assert volumes_left(backed_up) == []


def test_where_no_way_leads_back_the_preview_refuses_and_names_another_point(backed_up: World) -> None:
    backed_up.back_up("acme|daily|2026-11-24")
    lose(backed_up)
    manifest = backed_up.manifest(TODAY)
    assert manifest.parts.db_snapshot
    backed_up.cloud.client("ec2").delete_snapshot(SnapshotId=manifest.parts.db_snapshot.snapshot_id)
    with pytest.raises(
        RefusedError, match=r"missing from the vault.*is gone.*nearest verified one is acme-daily-20261124"
    ):
        backed_up.run_restore_step(RESTORE[0], recovery_point=manifest.id)
