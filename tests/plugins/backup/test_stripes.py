"""A .bak in several files: made, verified and restored as one, and refused when one is missing or wrong."""

from __future__ import annotations

import json
import threading

import pytest

from include.rules.errors import DamagedBackupError, PartError, RefusedError
from include.rules.points.backup_files import file_names
from include.rules.points.transitions import State
from tests.support.backup_files import delete_backup_file
from tests.support.holdings import assert_one_of_each
from tests.support.steps import BACKUP, CLOSE, RESTORE, VERIFY, chain_before, chain_from
from tests.support.world import World

pytestmark = pytest.mark.lab

TODAY, TOMORROW = "acme|daily|2026-11-23", "acme|daily|2026-11-24"
ROWS = 20_000


@pytest.fixture
def striped(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world whose tenant acme has a database of about 1 MB, which takes several stripes."""
    world.sql.run(
        "CREATE TABLE filler (a INT, b NVARCHAR(100))",
        f"WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS}) "
        "INSERT INTO filler SELECT i, N'a row of some length ' + CAST(i AS NVARCHAR(9)) FROM n OPTION (MAXRECURSION 0)",
        database=world.entries["acme"]["database"]["name"],
    )
    monkeypatch.setenv("PERENNIAL_STRIPE_MB", "0.25")
    return world


def filler(world: World) -> int:
    """How many rows the tenant's large table has."""
    rows = world.sql.run("SELECT COUNT(*) FROM filler", database=world.entries["acme"]["database"]["name"])
    return int(rows[0][0])


def keys(world: World, request: str) -> tuple[str, ...]:
    bak = world.manifest(request).parts.bak
    assert bak
    return bak.keys


def test_a_large_database_is_backed_up_in_stripes_that_are_one_backup(striped: World) -> None:
    bak = striped.back_up(TODAY).parts.bak
    assert_one_of_each(striped, TODAY)
    assert bak
    assert len(bak.files) > 2
    prefix = "recovery-points/acme/acme-daily-20261123/"
    assert bak.keys == tuple(prefix + name for name in file_names(1, len(bak.files)))
    assert [file.size_bytes for file in bak.files] == [len(striped.read_file(key)) for key in bak.keys]
    assert bak.size_bytes == sum(file.size_bytes for file in bak.files)
    assert min(file.size_bytes for file in bak.files) > bak.size_bytes / len(bak.files) / 4


def test_a_restore_reads_all_stripes(striped: World) -> None:
    striped.back_up(TODAY)
    striped.sql.run("DELETE FROM filler", database=striped.entries["acme"]["database"]["name"])
    striped.restore()
    assert filler(striped) == ROWS


def test_a_restore_that_lacks_a_stripe_leaves_the_database_as_it_is(striped: World) -> None:
    striped.back_up(TODAY)
    striped.run_restore_step(RESTORE[0])
    striped.runner.run(delete_backup_file(striped.vault, keys(striped, TODAY)[2]))
    with pytest.raises(PartError, match=r"has gone from the vault since the preview.*full-01-03\.bak"):
        striped.carry_out(RESTORE[1:])
    assert filler(striped) == ROWS


def test_a_backup_that_died_half_way_is_made_again_in_new_files_beside_those_that_it_left(striped: World) -> None:
    for step in chain_before(BACKUP):
        striped.run(step, TODAY)
    killer = threading.Thread(target=striped.kill_backup, args=("acme-daily-20261123",))
    with striped.sql.slowed(backup_seconds=6):
        killer.start()
        result = striped.run(BACKUP, TODAY)
        killer.join()
    assert [key.rsplit("/")[-1] for key in result["keys"]] == list(file_names(2, len(result["keys"])))
    for name in file_names(1, 3):
        striped.write_file(f"recovery-points/acme/acme-daily-20261123/{name}", b"left by a store that completed it")
    for step in chain_from(VERIFY):
        striped.run(step, TODAY)
    assert_one_of_each(striped, TODAY)


def test_one_stripe_that_is_gone_makes_the_whole_backup_worthless(striped: World) -> None:
    for step in chain_before(VERIFY):
        striped.run(step, TODAY)
    striped.runner.run(delete_backup_file(striped.vault, keys(striped, TODAY)[1]))
    with pytest.raises(DamagedBackupError, match=r"cannot be trusted: \S+full-01-02\.bak is not there"):
        striped.run(VERIFY, TODAY)
    with pytest.raises(PartError):
        striped.run(CLOSE, TODAY)
    assert striped.manifest(TODAY).state is State.FAILED
    striped.back_up(TODAY, "run-2")
    assert keys(striped, TODAY)[0].endswith("full-02-01.bak")
    assert_one_of_each(striped, TODAY)


def test_a_stripe_that_is_gone_before_it_could_be_recorded_is_named(striped: World) -> None:
    for step in chain_before(VERIFY):
        striped.run(step, TODAY)
    missing_key = keys(striped, TODAY)[2]
    striped.runner.run(delete_backup_file(striped.vault, missing_key))
    striped.change_manifest(TODAY, lambda m: m.model_copy(update={"parts": m.parts.model_copy(update={"bak": None})}))
    with pytest.raises(PartError, match=rf"has a record of the backup, but the vault has no {missing_key}\."):
        striped.run(BACKUP, TODAY)


def swap_second_stripe(world: World, stranger: str) -> None:
    """Put another stripe in the place of the second one of a backup that was made just now."""
    other = world.back_up(TOMORROW).parts.bak
    for step in chain_before(VERIFY):
        world.run(step, TODAY)
    own = keys(world, TODAY)
    assert other
    world.write_file(own[1], world.read_file(own[0] if stranger == "another one of its own" else other.keys[1]))


@pytest.mark.parametrize("stranger", ["of another backup", "another one of its own"])
def test_a_stripe_swapped_for_another_is_not_the_one_that_was_recorded(striped: World, stranger: str) -> None:
    swap_second_stripe(striped, stranger)
    with pytest.raises(DamagedBackupError, match=r"full-01-02\.bak (has .* bytes; recorded were|is another object)"):
        striped.run(VERIFY, TODAY)


@pytest.mark.parametrize(("stranger", "number"), [("of another backup", 3258), ("another one of its own", 3227)])
def test_stripes_that_do_not_belong_together_are_refused_by_sql_server(
    striped: World, stranger: str, number: int
) -> None:
    swap_second_stripe(striped, stranger)
    striped.record_files_as_they_are(TODAY)
    with pytest.raises(DamagedBackupError, match=f"SQL Server error {number}"):
        striped.run(VERIFY, TODAY)


def test_a_manifest_that_has_lost_a_stripe_is_not_verified(striped: World) -> None:
    for step in chain_before(VERIFY):
        striped.run(step, TODAY)
    bak = striped.manifest(TODAY).parts.bak
    assert bak
    shortened = bak.model_copy(update={"files": bak.files[:-1]})
    striped.change_manifest(TODAY, lambda m: m.with_backup_file(shortened))
    with pytest.raises(DamagedBackupError, match="SQL Server error 3132"):
        striped.run(VERIFY, TODAY)


def test_a_database_too_large_for_all_stripes_is_refused_before_anything_is_written(
    striped: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERENNIAL_STRIPE_MB", "0.01")
    for step in chain_before(BACKUP):
        striped.run(step, TODAY)
    with pytest.raises(RefusedError, match=r"The database of tenant acme .* SQL Server writes at most 64"):
        striped.run(BACKUP, TODAY)
    assert striped.files(TODAY) == []
    assert striped.manifest(TODAY).claim is None
    assert "Raise PERENNIAL_STRIPE_MB" in (striped.manifest(TODAY).failure or "")


def test_a_point_whose_manifest_is_of_version_1_is_restored(world: World) -> None:
    manifest = world.back_up(TODAY).model_dump(mode="json")
    rows = world.rows("acme")
    del manifest["database_files"], manifest["source"]["database"]["mount"], manifest["source"]["database"]["platform"]
    manifest["version"] = 1
    manifest["claim"]["key"] = manifest["claim"].pop("keys")[0]
    manifest["parts"]["bak"] |= manifest["parts"]["bak"].pop("files")[0]
    world.write_file("recovery-points/acme/acme-daily-20261123/manifest.json", json.dumps(manifest).encode())
    world.sql.run("DELETE FROM dbo.orders", database=world.entries["acme"]["database"]["name"])
    assert world.restore()["recovery_point"] == "acme-daily-20261123"
    assert world.rows("acme") == rows
