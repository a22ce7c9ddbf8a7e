"""A restore in place on the lab's servers: what comes back, what it keeps safe before, and who waits for it.

One that meets no trouble is carried out once for each half and once for both, and many tests look at what was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from include.rules.errors import LeaseBusyError, PartError, PerennialError
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName
from include.rules.points.transitions import State as PointState
from include.rules.restore.record import RestoreRecord, RestoreState
from perennial.restore.files import CopyFilesTrigger
from perennial.steps.trigger import StepResult
from tests.support.restores import (
    POINT,
    State,
    assert_nothing_is_left,
    backed_up,
    database,
    is_offline,
    record,
    state,
    volumes_left,
    wreck,
)
from tests.support.steps import OPEN, RESTORE, TODAY, Step, steps_until
from tests.support.trees import furnish
from tests.support.volumes import look
from tests.support.world import World, WorldApart

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

CLOSE_RESTORE: Step = RESTORE[-1]
LATER = "2026-11-23T13:00:00Z"


@dataclass(frozen=True)
class Restored:
    """A restore in place of what was wrecked: files and rows, what it said, and after which steps the site was offline.

    Attributes:
        safety: The safety point's manifest.
        wrecked: Files and rows before it; `after`: after it, with nothing else left.
    """

    before: State
    wrecked: State
    after: State
    result: StepResult
    record: RestoreRecord
    safety: Manifest
    offline_after: tuple[str, ...]


def wreck_and_restore(world: World, what: str) -> Restored:
    furnish(world.site("acme"))
    world.back_up(TODAY)
    before, wrecked, offline_after = state(world), wreck(world), list[str]()
    for step in RESTORE:
        result = world.run_restore_step(step, what=what)
        if is_offline(world):
            offline_after.append(step[0].__name__)
    assert_nothing_is_left(world)
    done = record(world, what=what)
    safety = world.manifest(done.safety_request)
    return Restored(before, wrecked, state(world), result, done, safety, tuple(offline_after))


@pytest.fixture(scope="module")
def whole(world_apart: WorldApart) -> tuple[Restored, State]:
    """A restore of files and database; and files and rows after its safety point was restored."""
    with world_apart() as world:
        restored = wreck_and_restore(world, "files and database")
        world.restore(recovery_point=restored.safety.id, moment=LATER)
        assert_nothing_is_left(world)
        return restored, state(world)


@pytest.fixture(scope="module")
def files_only(world_apart: WorldApart) -> Restored:
    """A restore of the files; its safety point is refused for the database."""
    return half(world_apart, "files", "database")


@pytest.fixture(scope="module")
def database_only(world_apart: WorldApart) -> Restored:
    """A restore of the database; its safety point is refused for the files."""
    return half(world_apart, "database", "files")


def half(world_apart: WorldApart, what: str, other: str) -> Restored:
    with world_apart() as world:
        restored = wreck_and_restore(world, what)
        form: dict[str, Any] = {"recovery_point": restored.safety.id, "what": other, "moment": LATER}
        with pytest.raises(PerennialError, match="the restore does not touch"):
            world.run_restore_step(RESTORE[0], **form)
        return restored


def test_files_and_rows_come_back_as_they_were(whole: tuple[Restored, State]) -> None:
    restored, _ = whole
    assert restored.before != restored.wrecked
    assert restored.after == restored.before
    assert restored.result["recovery_point"] == POINT
    assert restored.record.state is RestoreState.DONE
    assert [step.name for step in restored.record.steps] == [
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


def test_one_half_comes_back_and_the_other_is_left_alone(files_only: Restored, database_only: Restored) -> None:
    assert files_only.after == (files_only.before[0], files_only.wrecked[1])
    assert database_only.after == (database_only.wrecked[0], database_only.before[1])


def test_the_site_is_offline_from_the_safety_point_to_the_check_and_its_marker_survives_the_copy(
    whole: tuple[Restored, State],
) -> None:
    offline_after = whole[0].offline_after
    assert offline_after[0] == "TakeSiteOfflineTrigger"
    assert offline_after[-1] == "CheckRestoreTrigger"
    assert "CopyFilesTrigger" in offline_after


def test_restoring_the_safety_point_brings_back_what_the_restore_has_overwritten(
    whole: tuple[Restored, State],
) -> None:
    restored, undone = whole
    assert undone == restored.wrecked


def test_a_safety_point_holds_what_is_about_to_be_overwritten_and_leaves_out_the_rest(
    whole: tuple[Restored, State], files_only: Restored, database_only: Restored
) -> None:
    every, web = set(PartName), {PartName.WEB_SNAPSHOT}
    for restored, kept in ((whole[0], every), (files_only, web), (database_only, every - web)):
        point = restored.safety
        assert (set(point.parts.names), set(point.left_out)) == (kept, every - kept)
        assert point.state is PointState.VERIFIED
        assert (point.parts.bak is None) or point.parts.bak.copy_only


def test_a_database_in_use_is_restored_all_the_same(backed_up: World) -> None:
    rows = backed_up.rows("acme")
    with backed_up.sql.connect(database(backed_up)):
        backed_up.restore(what="database")
    assert backed_up.rows("acme") == rows


def test_an_older_point_is_restored_when_it_is_named(backed_up: World) -> None:
    before = state(backed_up)
    (backed_up.site("acme") / "index.html").write_text("a day later")
    backed_up.back_up("acme|daily|2026-11-24")
    backed_up.restore(recovery_point=POINT, what="files")
    assert state(backed_up) == before


def test_a_backup_waits_while_the_tenant_is_being_restored(lent_world: World) -> None:
    for step in RESTORE[:2]:
        lent_world.run_restore_step(step)
    with pytest.raises(LeaseBusyError, match="a restore holds its lease"):
        lent_world.run(OPEN, "acme|manual|2026-11-23T11:00:00Z", "run-2")


def test_the_volume_counts_as_attached_when_the_host_has_it_and_not_before(lent_world: World) -> None:
    lent_world.carry_out(steps_until(CopyFilesTrigger))
    (volume,) = volumes_left(lent_world)
    assert lent_world.cloud.volume_state(volume) == ("in-use", "attached")
    with pytest.raises(PartError):
        lent_world.run_restore_step(CLOSE_RESTORE)
    assert volumes_left(lent_world) == []


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
