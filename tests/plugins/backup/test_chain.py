"""A whole backup on the lab's servers: what its steps make together, of which database, and who is left out."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from include.rules.errors import PerennialError
from include.rules.points.backup_files import FileType
from include.rules.points.transitions import State
from tests.support.holdings import assert_one_of_each
from tests.support.steps import CHAIN, TODAY
from tests.support.world import World

pytestmark = pytest.mark.lab


def test_a_backup_makes_one_verified_recovery_point_of_three_parts(world: World) -> None:
    manifest = world.back_up(TODAY)
    assert_one_of_each(world, TODAY)
    assert manifest.verification
    assert manifest.verification.level == 2
    assert manifest.time == min(s["StartTime"] for s in world.snapshots(TODAY))
    assert manifest.source.model_dump(mode="json")["database"] == world.entries["acme"]["database"]
    tags = {tag["Key"]: tag["Value"] for tag in world.snapshots(TODAY)[0]["Tags"]}
    assert tags["perennial:vault"] == world.vault.settings.vault
    assert tags["cost-centre"] == "4711"
    assert not {"perennial:tenant", "perennial:recovery-point"} & tags.keys()


def test_the_snapshot_of_the_database_volume_holds_the_files_that_the_manifest_names(world: World) -> None:
    manifest = world.back_up(TODAY)
    database, snapshot = manifest.source.database, manifest.parts.db_snapshot
    assert database.mount
    assert snapshot
    assert [(file.logical_name, file.type) for file in manifest.database_files] == [
        (database.name, FileType.ROWS),
        (f"{database.name}_log", FileType.LOG),
    ]
    on_volume = [Path(file.physical_path).relative_to(database.mount) for file in manifest.database_files]
    data, log = (world.cloud.snapshot_path(snapshot.snapshot_id) / path for path in on_volume)
    copy = f"{database.name}_copy"
    world.sql.attach(copy, data, log)
    count = "SELECT COUNT(*) FROM dbo.orders"
    assert world.sql.run(count, database=copy) == world.sql.run(count, database=database.name) == [(50,)]


def test_the_same_day_again_makes_no_second_recovery_point(world: World) -> None:
    first = world.back_up(TODAY)
    assert world.back_up(TODAY, "run-2") == first
    assert_one_of_each(world, TODAY)


def test_a_manual_backup_is_a_copy_that_nobodys_differential_builds_on(world: World) -> None:
    daily, manual = world.back_up(TODAY), world.back_up("acme|manual|2026-11-23T10:00:00Z")
    assert daily.parts.bak
    assert manual.parts.bak
    assert (daily.parts.bak.copy_only, manual.parts.bak.copy_only) == (False, True)


def test_two_runs_of_one_day_at_once_end_in_one_recovery_point(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # The second waits for as long as the first one takes, on a busy machine too.
    monkeypatch.setenv("PERENNIAL_LEASE_WAIT_SECONDS", "120")

    async def chain(run_id: str) -> None:
        for step in world.steps(TODAY, run_id):
            await step.work_within_deadline()

    async def both() -> list[BaseException | None]:
        return list(await asyncio.gather(chain("run-1"), chain("run-2"), return_exceptions=True))

    assert world.runner.run(both()) == [None, None]
    assert assert_one_of_each(world, TODAY).attempt == 1


@pytest.mark.parametrize("name", ["odd]name", "o'brien", "x]; DROP DATABASE y --"])
def test_a_database_with_a_strange_name_is_backed_up_like_any_other(world: World, name: str) -> None:
    world.sql.run(f"CREATE DATABASE [{name.replace(']', ']]')}]")
    world.sql.move_files(name, world.database_host.folder)
    world.entries["acme"]["database"]["name"] = name
    world.write_register()
    world.back_up(TODAY)
    assert_one_of_each(world, TODAY)
    world.sql.drop_database(name)


def test_a_broken_entry_of_another_tenant_does_not_matter(world: World) -> None:
    world.entries["broken"] = {"id": "broken", "plan": "no-such-plan"}
    world.write_register()
    assert world.back_up(TODAY).state is State.VERIFIED


def test_every_error_of_a_step_is_one_that_operators_can_read(world: World) -> None:
    for step in CHAIN[1:]:
        with pytest.raises(PerennialError):
            world.run(step, TODAY)
