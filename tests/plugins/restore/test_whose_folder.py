"""A restore takes the folder that the path led to in the snapshot, and never one of another tenant."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.rules.errors import PartError, RefusedError
from include.rules.points.parts import PartName
from perennial.restore.attach import AttachVolumesTrigger
from perennial.restore.files import CopyFilesTrigger
from tests.support.neighbours import Neighbours, daily
from tests.support.restores import is_offline, record, volumes_left
from tests.support.steps import CHAIN, RESTORE, TODAY, Step, steps_until
from tests.support.world import World

pytestmark = pytest.mark.lab

PREVIEW, CLOSE_RESTORE = RESTORE[0], RESTORE[-1]
ATTACH: Step = (AttachVolumesTrigger, {})
COPY: Step = (CopyFilesTrigger, {})


def deployed(world: World) -> None:
    """Let acme's site be a link to its first release, and have a second one."""
    site = world.site("acme")
    for number in (1, 2):
        release = site.parent / "releases" / str(number)
        release.mkdir(parents=True)
        (release / "index.html").write_text(f"release {number}")
    site.rename(site.with_name("was"))
    site.symlink_to("releases/1")


def relink(world: World, to: str) -> None:
    """Let the site's link in the web snapshot of today lead elsewhere than the look before has seen."""
    part = world.manifest(TODAY).parts.web_snapshot
    assert part
    entry = world.entries["acme"]["web"]
    link = world.cloud.snapshot_path(part.snapshot_id) / Path(entry["path"]).relative_to(entry["mount"])
    link.unlink()
    link.symlink_to(to)


def claim_to_have_seen(world: World, folder: str) -> None:
    """Let the point be one of before there was such a check, when this was what the look has seen."""

    def seen(look: dict[PartName, object]) -> dict[PartName, object]:
        web = world.manifest(TODAY).looks[PartName.WEB_SNAPSHOT]
        return {**look, PartName.WEB_SNAPSHOT: web.model_copy(update={"folder": folder})}

    world.change_manifest(TODAY, lambda m: m.model_copy(update={"looks": seen(dict(m.looks))}))


@pytest.fixture
def shared(neighbours: Neighbours) -> Neighbours:
    """Two tenants with points of one web snapshot; acme's site is a link."""
    neighbours.add("globex")
    (neighbours.web.folder / "globex" / "private").mkdir()
    (neighbours.web.folder / "globex" / "private" / "keys").write_text("globex's own")
    deployed(neighbours.world)
    neighbours.at_once(CHAIN)
    return neighbours


def test_the_release_of_the_snapshot_comes_back_and_not_the_one_that_the_look_had_seen(world: World) -> None:
    deployed(world)
    world.back_up(TODAY)
    relink(world, "releases/2")
    (world.site("acme") / "index.html").write_text("HACKED")
    assert "the look before it has seen releases/1" in world.run_restore_step(PREVIEW, what="files")["preview"]
    world.restore(what="files")
    assert (world.site("acme") / "index.html").read_text() == "release 2"
    said = {step.name: step.message for step in record(world, what="files").steps}
    for step in ("attach_volumes", "copy_files"):
        assert f"In the snapshot {world.site('acme')} leads to releases/2 on the volume: that is taken" in said[step]
        assert "the look before it had seen releases/1" in said[step]
    assert record(world, what="files").files_from == "releases/2"


@pytest.mark.parametrize("register_is_there", [True, False])
def test_a_link_to_a_neighbour_in_the_snapshot_itself_is_found_while_the_site_is_online(
    shared: Neighbours, register_is_there: bool
) -> None:
    world = shared.world
    relink(world, "../globex/private")
    if not register_is_there:
        (world.config / "tenants.yaml").unlink()
    world.carry_out(steps_until(AttachVolumesTrigger), what="files")
    match = "leads to globex/private on volume .*, where tenant globex lives, whose files it would hand out"
    with pytest.raises(RefusedError, match=match):
        world.run_restore_step(ATTACH, what="files")
    assert record(world, what="files").files_from == ""
    with pytest.raises(PartError, match=match):
        world.run_restore_step(CLOSE_RESTORE, what="files")
    assert (is_offline(world), volumes_left(world)) == (False, [])
    assert sorted(path.name for path in world.site("acme").iterdir()) == ["index.html"]


@pytest.mark.parametrize("folder", ["globex/site", "globex/private", "."])
def test_a_point_of_before_that_was_seen_at_a_neighbours_is_refused_by_the_preview(
    shared: Neighbours, folder: str
) -> None:
    claim_to_have_seen(shared.world, folder)
    for form in ({"what": "files"}, {"what": "files", "folder": str(shared.web.folder / "new" / "site")}):
        with pytest.raises(RefusedError, match=f"leads to {folder} on volume .*, where tenant globex lives"):
            shared.world.run_restore_step(PREVIEW, **form)


def test_a_neighbour_that_nobody_remembers_any_more_but_its_point_is_one_all_the_same(shared: Neighbours) -> None:
    world = shared.world
    claim_to_have_seen(world, "globex/private")
    del world.entries["globex"]
    world.write_register()
    with pytest.raises(RefusedError, match="where tenant globex lives"):
        world.run_restore_step(PREVIEW, what="files")
    assert world.manifest(daily("globex"))


def test_a_copy_takes_no_other_folder_than_the_one_that_was_looked_at(world: World) -> None:
    deployed(world)
    world.back_up(TODAY)
    world.carry_out(steps_until(CopyFilesTrigger), what="files")
    (volume,) = volumes_left(world)
    for folder in ("releases", "was"):
        path = world.cloud.volume_path(volume) / folder
        path.rename(path.with_name(f"{folder}-before"))
    (world.cloud.volume_path(volume) / "releases").symlink_to("releases-before")
    with pytest.raises(PartError, match=r"'releases' on the volume .* is a link, where a folder was to be"):
        world.run_restore_step(COPY, what="files")
    with pytest.raises(PartError, match="is a link"):
        world.run_restore_step(CLOSE_RESTORE, what="files")
    assert not is_offline(world)


def test_a_link_that_was_led_to_a_neighbour_while_the_safety_point_was_taken_is_seen(shared: Neighbours) -> None:
    world, site = shared.world, shared.world.site("acme")
    world.carry_out(steps_until(CopyFilesTrigger), what="files")
    site.unlink()
    site.symlink_to("../globex/private")
    with pytest.raises(RefusedError, match=r"were not copied back: .* not this tenant's alone: globex lives there"):
        world.run_restore_step(COPY, what="files")
    assert record(world, what="files").begun == {}
    assert [path.name for path in (shared.web.folder / "globex" / "private").iterdir()] == ["keys"]
