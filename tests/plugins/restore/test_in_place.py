"""A restore in place on the lab's servers: what comes back, and who waits for it."""

from __future__ import annotations

import pytest

from include.rules.errors import LeaseBusyError, PartError, RefusedError
from include.rules.restore.record import RestoreState
from perennial.restore.files import CopyFilesTrigger
from tests.support.restores import (
    POINT,
    assert_all_is_back,
    assert_nothing_is_left,
    backed_up,
    database,
    record,
    state,
    volumes_left,
    wreck,
)
from tests.support.steps import OPEN, RESTORE, TODAY, Step, steps_until
from tests.support.volumes import look
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

CLOSE_RESTORE: Step = RESTORE[-1]


def test_files_and_rows_come_back_as_they_were(backed_up: World) -> None:
    before = state(backed_up)
    assert wreck(backed_up) != before
    result = backed_up.restore()
    assert_all_is_back(backed_up, before)
    assert result["recovery_point"] == POINT
    assert record(backed_up).state is RestoreState.DONE
    assert [step.name for step in record(backed_up).steps] == [
        "attach_volumes",
        "prepare_database",
        "take_site_offline",
        "take_safety_point",
        "copy_files",
        "restore_database",
        "check",
        "bring_site_online",
        "remove_volumes",
    ]


@pytest.mark.parametrize("what", ["files", "database"])
def test_one_half_comes_back_and_the_other_is_left_alone(backed_up: World, what: str) -> None:
    files, rows = state(backed_up)
    wrecked_files, wrecked_rows = wreck(backed_up)
    backed_up.restore(what=what)
    assert state(backed_up) == ((files, wrecked_rows) if what == "files" else (wrecked_files, rows))
    assert_nothing_is_left(backed_up)


def test_a_database_that_was_dropped_comes_back(backed_up: World) -> None:
    rows = backed_up.rows("acme")
    backed_up.sql.drop_database(database(backed_up))
    backed_up.restore()
    assert backed_up.rows("acme") == rows


def test_a_database_in_use_is_restored_all_the_same(backed_up: World) -> None:
    rows = backed_up.rows("acme")
    with backed_up.sql.connect(database(backed_up)):
        backed_up.restore()
    assert backed_up.rows("acme") == rows


def test_an_older_point_is_restored_when_it_is_named(backed_up: World) -> None:
    before = state(backed_up)
    (backed_up.site("acme") / "index.html").write_text("a day later")
    backed_up.back_up("acme|daily|2026-11-24")
    backed_up.restore(recovery_point=POINT)
    assert state(backed_up) == before


def test_a_backup_waits_while_the_tenant_is_being_restored(backed_up: World) -> None:
    for step in RESTORE[:2]:
        backed_up.run_restore_step(step)
    with pytest.raises(LeaseBusyError, match="a restore holds its lease"):
        backed_up.run(OPEN, "acme|manual|2026-11-23T11:00:00Z", "run-2")


def test_a_restore_that_is_done_is_not_carried_out_again(backed_up: World) -> None:
    backed_up.restore()
    (backed_up.site("acme") / "index.html").write_text("written since")
    for step in RESTORE[:2]:
        with pytest.raises(RefusedError, match="is done"):
            backed_up.run_restore_step(step)
    assert (backed_up.site("acme") / "index.html").read_text() == "written since"
    assert backed_up.lease("acme").owner is None


def test_the_volume_counts_as_attached_when_the_host_has_it_and_not_before(backed_up: World) -> None:
    backed_up.carry_out(steps_until(CopyFilesTrigger))
    (volume,) = volumes_left(backed_up)
    assert backed_up.cloud.volume_state(volume) == ("in-use", "attached")
    with pytest.raises(PartError):
        backed_up.run_restore_step(CLOSE_RESTORE)
    assert volumes_left(backed_up) == []


@pytest.mark.parametrize("names_the_whole_path", [True, False])
def test_a_site_that_is_reached_by_a_link_comes_back_from_where_the_link_led(
    world: World, names_the_whole_path: bool
) -> None:
    site, release = world.site("acme"), world.site("acme").parent / "releases" / "1"
    release.parent.mkdir()
    site.rename(release)
    site.symlink_to(release if names_the_whole_path else "releases/1")
    before = (site / "index.html").read_text()
    world.back_up(TODAY)
    assert look(world, "web_snapshot").folder == "releases/1"
    (site / "index.html").write_text("hacked")
    world.restore(what="files")
    assert (site.is_symlink(), (release / "index.html").read_text()) == (True, before)
