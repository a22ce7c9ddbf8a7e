"""A database that comes from the snapshot is whole and checked before anything of the tenant is overwritten."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.rules.errors import DamagedBackupError, PartError, RefusedError
from include.rules.restore.record import Site
from perennial.hooks.sql_server import attach, tsql
from perennial.restore.database import RestoreDatabaseTrigger
from perennial.restore.database_files import own_name
from perennial.restore.database_preparation import PrepareDatabaseTrigger
from tests.support.databases import corrupt
from tests.support.restores import (
    State,
    access,
    assert_all_is_back,
    backed_up,
    database,
    is_offline,
    record,
    state,
    wreck,
)
from tests.support.steps import RESTORE, TODAY, Step, steps_until
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

PREPARE: Step = (PrepareDatabaseTrigger, {})
RESTORE_DATABASE: Step = (RestoreDatabaseTrigger, {})
CLOSE: Step = RESTORE[-1]
FROM_SNAPSHOT: dict[str, Any] = {"database_from": "snapshot"}


@pytest.fixture(autouse=True)
def _second_look_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attach, "SECOND_LOOK", 0.1)


def scramble(file: Path) -> None:
    """It cannot even be attached."""
    file.write_bytes(file.read_bytes()[:4096] + bytes(4096) + file.read_bytes()[8192:])


def primary_file(world: World, volume: Path) -> Path:
    """The database's own file on a volume, or in its snapshot."""
    (file,) = (path for path in volume.rglob("*.mdf") if database(world) in path.name)
    return file


def databases_and_files(world: World) -> list[tuple[Any, ...]]:
    """Every database of the server with its files: none is added, none is lost."""
    return world.sql.run("SELECT DB_NAME(database_id), physical_name FROM sys.master_files ORDER BY 1, 2")


def assert_untouched(world: World, before: State, **form: Any) -> None:
    """The site has never been offline, and all is byte by byte as it was."""
    assert (record(world, **form).site, record(world, **form).begun) == (Site.UNTOUCHED, {})
    assert state(world) == before
    assert access(world) == ("ONLINE", "MULTI_USER")
    assert not is_offline(world)


@pytest.mark.parametrize(
    ("damage", "message", "what"),
    [
        (corrupt, "did not pass their check", "files and database"),
        (scramble, "could not be attached", "database"),
        (corrupt, "did not pass their check", "database"),
        (scramble, "could not be attached", "files and database"),
    ],
)
def test_a_damaged_database_in_the_snapshot_is_found_before_anything_is_overwritten(
    backed_up: World, damage: Callable[[Path], None], message: str, what: str
) -> None:
    form = {**FROM_SNAPSHOT, "what": what}
    part = backed_up.manifest(TODAY).parts.db_snapshot
    assert part
    damage(primary_file(backed_up, backed_up.cloud.snapshot_path(part.snapshot_id)))
    before, standing = wreck(backed_up), databases_and_files(backed_up)
    with pytest.raises(DamagedBackupError, match=f"{message}.*was not touched"):
        backed_up.restore(**form)
    assert_untouched(backed_up, before, **form)
    with pytest.raises(
        PartError, match=r"`prepare_database` failed.*Tenant acme is as it was: nothing was overwritten"
    ):
        backed_up.run_restore_step(CLOSE, **form)
    assert databases_and_files(backed_up) == standing
    assert_all_is_back(backed_up, before)


def test_a_disk_that_has_filled_since_it_was_looked_at_is_found_before_anything_is_overwritten(
    backed_up: World,
) -> None:
    before = wreck(backed_up)
    backed_up.carry_out(steps_until(PrepareDatabaseTrigger), **FROM_SNAPSHOT)
    volume = backed_up.cloud.volume_path(record(backed_up, **FROM_SNAPSHOT).volumes["db_snapshot"])
    file = primary_file(backed_up, volume)
    whole = file.stat().st_size
    with file.open("r+b") as sparse:
        sparse.truncate(1 << 43)
    with pytest.raises(PartError, match=r"bytes free and 8796\d+ are needed.*Nothing was overwritten"):
        backed_up.run_restore_step(PREPARE, **FROM_SNAPSHOT)
    assert_untouched(backed_up, before, **FROM_SNAPSHOT)
    with file.open("r+b") as sparse:
        sparse.truncate(whole)
    with pytest.raises(PartError, match="Tenant acme is as it was: nothing was overwritten"):
        backed_up.run_restore_step(CLOSE, **FROM_SNAPSHOT)
    assert_all_is_back(backed_up, before)


def test_what_was_prepared_is_checked_once_and_only_takes_its_place_while_the_site_is_offline(
    backed_up: World,
) -> None:
    before = state(backed_up)
    wreck(backed_up)
    backed_up.carry_out(steps_until(RestoreDatabaseTrigger), **FROM_SNAPSHOT)
    copied = record(backed_up, **FROM_SNAPSHOT).copied_files
    with backed_up.sql.failing("sql:CheckDatabase", number=8939, times=None):
        backed_up.run_restore_step(RESTORE_DATABASE, **FROM_SNAPSHOT)
    name = database(backed_up)
    assert {path for owner, path in databases_and_files(backed_up) if owner == name} == set(copied)
    backed_up.carry_out(RESTORE[RESTORE.index(RESTORE_DATABASE) + 1 :], **FROM_SNAPSHOT)
    assert_all_is_back(backed_up, before)


def test_what_was_prepared_and_has_gone_since_is_prepared_again_before_the_standing_one_is_dropped(
    backed_up: World,
) -> None:
    before = state(backed_up)
    wreck(backed_up)
    backed_up.carry_out(steps_until(RestoreDatabaseTrigger), **FROM_SNAPSHOT)
    backed_up.sql.run(tsql.drop_database(own_name(record(backed_up, **FROM_SNAPSHOT))))
    backed_up.carry_out(RESTORE[RESTORE.index(RESTORE_DATABASE) :], **FROM_SNAPSHOT)
    assert_all_is_back(backed_up, before)


def test_no_copy_begins_before_the_database_is_prepared(backed_up: World) -> None:
    wrecked = wreck(backed_up)
    backed_up.carry_out(steps_until(PrepareDatabaseTrigger), **FROM_SNAPSHOT)
    for step in RESTORE[RESTORE.index(PREPARE) + 1 : RESTORE.index(RESTORE_DATABASE) + 1]:
        with pytest.raises(RefusedError, match="comes after prepare_database"):
            backed_up.run_restore_step(step, **FROM_SNAPSHOT)
    assert_untouched(backed_up, wrecked, **FROM_SNAPSHOT)


def test_a_restore_from_the_bak_has_nothing_to_prepare(lent_world: World) -> None:
    before = databases_and_files(lent_world)
    lent_world.carry_out(steps_until(PrepareDatabaseTrigger), what="database")
    said = lent_world.run_restore_step(PREPARE, what="database")["message"]
    assert said == "No snapshot of the database is needed."
    assert databases_and_files(lent_world) == before
