"""What a restore overwrites is looked at: no safety point is of another volume, and none is relied on unseen."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from include.rules.errors import PartError, PerennialError, RefusedError
from include.rules.points.requests import BackupRequest
from perennial.restore.attach import AttachVolumesTrigger
from perennial.restore.safety_point import TakeSafetyPointTrigger
from tests.support.restores import assert_all_is_back, backed_up, record, state, wreck
from tests.support.steps import RESTORE, TODAY, Step, steps_until
from tests.support.volumes import users_write_to_the_root_disk, web
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

SAFETY: Step = (TakeSafetyPointTrigger, {})
SILENT: dict[str, Any] = {"action": "ssm:SendCommand", "code": "InvalidInstanceId", "status": 400, "times": None}


def without_looks(world: World, request: str) -> None:
    """Make a recovery point one from before there were looks."""
    asked = BackupRequest.parse(request)

    async def forget() -> None:
        version = await world.vault.points.get(asked.tenant, asked.recovery_point_id)
        assert version
        await world.vault.points.replace(version.value.model_copy(update={"looks": {}}), version.etag)

    world.runner.run(forget())


def test_a_preview_refuses_to_overwrite_a_site_that_is_not_where_the_register_says(backed_up: World) -> None:
    users_write_to_the_root_disk(backed_up)
    with pytest.raises(RefusedError, match="cannot be kept safe: nothing is mounted on") as refusal:
        backed_up.run_restore_step(RESTORE[0])
    assert "nothing is overwritten; nothing was" in refusal.value.why
    assert (backed_up.site("acme") / "order.json").read_text() == "from a user"
    assert backed_up.restore_record() is None


def test_a_preview_refuses_to_overwrite_a_database_whose_host_does_not_say_where_it_lies(lent_world: World) -> None:
    lent_world.cloud.add_fault(**SILENT)
    with pytest.raises(PerennialError, match=r"host i-\w+"):
        lent_world.run_restore_step(RESTORE[0], what="database", moment="2026-11-23T13:00:00Z")
    assert lent_world.restore_record(what="database", moment="2026-11-23T13:00:00Z") is None


def test_a_site_that_moves_between_preview_and_safety_point_is_not_overwritten(backed_up: World) -> None:
    backed_up.carry_out(steps_until(TakeSafetyPointTrigger))
    users_write_to_the_root_disk(backed_up)
    with pytest.raises(PartError, match="was not snapshotted: nothing is mounted on"):
        backed_up.run_restore_step(SAFETY)
    with pytest.raises(PerennialError, match="nothing was overwritten"):
        backed_up.run_restore_step(RESTORE[-1])
    assert (backed_up.site("acme") / "order.json").read_text() == "from a user"


def test_a_safety_point_that_could_not_be_looked_at_is_none(backed_up: World) -> None:
    wrecked = wreck(backed_up)
    backed_up.carry_out(steps_until(TakeSafetyPointTrigger))
    backed_up.cloud.add_fault(**SILENT)
    with pytest.raises(RefusedError, match=r"could not be looked at: host i-.*nothing was overwritten"):
        backed_up.run_restore_step(SAFETY)
    backed_up.cloud.clear_faults()
    with pytest.raises(PerennialError, match="nothing was overwritten"):
        backed_up.run_restore_step(RESTORE[-1])
    assert_all_is_back(backed_up, wrecked)


def test_a_folder_that_somebody_has_deleted_has_nothing_to_lose_and_comes_back(backed_up: World) -> None:
    before = state(backed_up)
    shutil.rmtree(backed_up.site("acme"))
    backed_up.restore(what="files")
    assert state(backed_up) == before
    notes = backed_up.manifest(record(backed_up, what="files").safety_request).looks.values()
    assert ["is empty" in note for look in notes for note in look.notes] == [True]


def test_a_point_from_before_there_were_looks_is_restored_and_nothing_is_said_of_it(backed_up: World) -> None:
    before = state(backed_up)
    without_looks(backed_up, TODAY)
    wreck(backed_up)
    shown = backed_up.run_restore_step(RESTORE[0])["preview"]
    assert "verified to level 2" in shown
    assert "NOT LOOKED AT" not in shown
    backed_up.carry_out(RESTORE[1:])
    assert state(backed_up) == before


def test_a_site_is_not_made_the_same_as_an_empty_folder_that_nobody_had_seen(world: World) -> None:
    index = world.site("acme") / "index.html"
    page = index.read_text()
    index.unlink()
    world.cloud.add_fault(**SILENT)
    world.back_up(TODAY)
    world.cloud.clear_faults()
    index.write_text(page)
    world.carry_out(steps_until(AttachVolumesTrigger), what="files")
    with pytest.raises(PartError, match=r"has not one file .* nobody had looked at its volume"):
        world.run_restore_step((AttachVolumesTrigger, {}), what="files")
    assert index.read_text() == page


def test_a_preview_says_that_the_volume_of_a_snapshot_was_not_looked_at(world: World) -> None:
    world.cloud.add_fault(**SILENT)
    world.back_up(TODAY)
    world.cloud.clear_faults()
    shown = world.run_restore_step(RESTORE[0])["preview"]
    assert "verified to level 1" in shown
    assert "The volume of its web_snapshot was NOT LOOKED AT before" in shown


def test_a_safety_point_of_an_earlier_version_is_relied_on_only_once_something_was_overwritten(
    backed_up: World,
) -> None:
    backed_up.carry_out([*steps_until(TakeSafetyPointTrigger), SAFETY])
    without_looks(backed_up, record(backed_up).safety_request)
    with pytest.raises(RefusedError, match="was taken without a look at its volumes"):
        backed_up.run_restore_step(SAFETY)


def test_a_restore_beside_a_site_that_is_not_where_the_register_says_is_not_refused(backed_up: World) -> None:
    users_write_to_the_root_disk(backed_up)
    form = {"what": "files", "folder": str(backed_up.cloud.host_path(web(backed_up)["instance"], "/srv/old"))}
    assert "nothing is overwritten" in backed_up.run_restore_step(RESTORE[0], **form)["preview"]
