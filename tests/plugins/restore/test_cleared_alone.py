"""Steps of a restore that are cleared alone, whatever state their run is in: they do the right thing or refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from include.rules.errors import LeaseLostError, PartError, PerennialError, RefusedError
from include.rules.restore.record import RestoreState
from perennial.hooks import waits
from perennial.hooks.aws.ebs import Ebs
from perennial.restore.attach import AttachVolumesTrigger
from perennial.restore.close import CloseRestoreTrigger
from perennial.restore.database import CheckRestoreTrigger, RestoreDatabaseTrigger
from perennial.restore.files import CopyFilesTrigger
from perennial.restore.open import OpenRestoreTrigger
from perennial.restore.preview import PreviewRestoreTrigger
from perennial.restore.site import BringSiteOnlineTrigger, TakeSiteOfflineTrigger
from perennial.restore.volumes import RemoveVolumesTrigger
from perennial.steps import alone
from tests.support.restores import (
    POINT,
    assert_all_is_back,
    backed_up,
    is_offline,
    record,
    state,
    volumes_left,
    wreck,
)
from tests.support.steps import RESTORE, Step, steps_until
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

OPEN: Step = (OpenRestoreTrigger, {})
CLOSE: Step = (CloseRestoreTrigger, {})
REMOVE: Step = (RemoveVolumesTrigger, {})
MIDDLE = [cls for cls, _ in RESTORE[2:-2]]


def airflow_says(monkeypatch: pytest.MonkeyPatch, **states: str | None) -> None:
    """Let Airflow answer what has become of the run's tasks."""

    async def answer(_: Any) -> Mapping[str, str | None]:
        return states

    monkeypatch.setattr(alone, "task_states", answer)


def failed_after(world: World, last: type[Any]) -> None:
    """A restore that was closed as failed before `last` was done."""
    world.carry_out(steps_until(last))
    with pytest.raises(PartError):
        world.run_restore_step(CLOSE)


def test_when_the_restore_is_done_none_of_its_steps_touches_the_tenant_again(backed_up: World) -> None:
    before = state(backed_up)
    wreck(backed_up)
    backed_up.restore()
    (backed_up.site("acme") / "written-since.txt").write_text("by a user")
    now = state(backed_up)
    first: list[Step] = [(PreviewRestoreTrigger, {"approval_task": "approval"}), (OpenRestoreTrigger, {})]
    for step in first:
        with pytest.raises(RefusedError, match="is done"):
            backed_up.run_restore_step(step)
    for cls in MIDDLE:
        with pytest.raises(LeaseLostError, match="no longer holds the lease of tenant acme; it is with nobody"):
            backed_up.run_restore_step((cls, {}))
    assert "no volume of it is left" in backed_up.run_restore_step(REMOVE)["message"]
    assert backed_up.run_restore_step(CLOSE)["restore"] == record(backed_up).id
    assert state(backed_up) == now != before
    assert record(backed_up).state is RestoreState.DONE
    assert backed_up.lease("acme").owner is None


def test_when_the_restore_has_failed_only_open_with_all_after_it_goes_on(
    backed_up: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(backed_up)
    wreck(backed_up)
    failed_after(backed_up, CopyFilesTrigger)
    with pytest.raises(RefusedError, match=r"is failed already.*Clear the task `open`"):
        backed_up.run_restore_step((PreviewRestoreTrigger, {"approval_task": "approval"}))
    for cls in MIDDLE:
        with pytest.raises(LeaseLostError, match="clear the first task of this run"):
            backed_up.run_restore_step((cls, {}))
    with pytest.raises(PartError, match="was not completed"):
        backed_up.run_restore_step(CLOSE)
    airflow_says(monkeypatch, OpenRestoreTrigger="deferred", preview="success", copy_files="failed", close=None)
    with pytest.raises(RefusedError, match=r"The task OpenRestoreTrigger was cleared alone.*downstream"):
        backed_up.run_restore_step(OPEN)
    assert record(backed_up).state is RestoreState.FAILED
    assert backed_up.lease("acme").owner is None
    airflow_says(monkeypatch, OpenRestoreTrigger="deferred", preview="success", copy_files=None, close=None)
    backed_up.carry_out(RESTORE[1:])
    assert_all_is_back(backed_up, before)


def test_open_is_not_begun_again_beside_another_step_of_its_run(
    backed_up: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    backed_up.carry_out(steps_until(CopyFilesTrigger))
    token, opened = backed_up.lease("acme").token, record(backed_up)
    airflow_says(monkeypatch, OpenRestoreTrigger="deferred", copy_files="deferred", close=None)
    with pytest.raises(RefusedError, match="was cleared while copy_files of the same run is at work"):
        backed_up.run_restore_step(OPEN)
    assert backed_up.lease("acme").token == token, "the step at work was outranked"
    assert record(backed_up) == opened


@pytest.mark.parametrize(
    ("cls", "to_do"),
    [
        (TakeSiteOfflineTrigger, "attach_volumes, prepare_database"),
        (CopyFilesTrigger, "attach_volumes, prepare_database, take_site_offline, take_safety_point"),
        (RestoreDatabaseTrigger, "attach_volumes, prepare_database, .*, copy_files"),
        (CheckRestoreTrigger, "attach_volumes, prepare_database, .*, copy_files, restore_database"),
        (BringSiteOnlineTrigger, "attach_volumes, prepare_database, .*, check"),
    ],
)
def test_after_open_was_cleared_alone_no_step_goes_on_without_those_before_it(
    backed_up: World, cls: type[Any], to_do: str
) -> None:
    wrecked = wreck(backed_up)
    backed_up.carry_out(steps_until(CopyFilesTrigger))
    backed_up.run_restore_step(OPEN)
    backed_up.run_restore_step((AttachVolumesTrigger, {}))
    backed_up.run_restore_step(OPEN)
    with pytest.raises(RefusedError, match=f"comes after {to_do}, which this attempt has not done"):
        backed_up.run_restore_step((cls, {}))
    with pytest.raises(PerennialError, match="was not completed"):
        backed_up.run_restore_step(CLOSE)
    assert_all_is_back(backed_up, wrecked)


def test_volumes_that_a_closed_restore_has_left_are_removed_by_their_step_alone(
    backed_up: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = waits.VOLUME_GONE
    backed_up.carry_out(steps_until(CopyFilesTrigger))
    monkeypatch.setattr(waits, "VOLUME_GONE", replace(waits.VOLUME_GONE, seconds=0))
    with pytest.raises(PartError, match="could not be detached"):
        backed_up.run_restore_step(CLOSE)
    assert volumes_left(backed_up)
    monkeypatch.setattr(waits, "VOLUME_GONE", patient)
    assert backed_up.run_restore_step(REMOVE)["message"] == "No volume is left."
    assert volumes_left(backed_up) == []
    assert backed_up.lease("acme").owner is None
    assert record(backed_up).state is RestoreState.FAILED


def lose_point(world: World) -> None:
    """Somebody deletes the recovery point's manifest by hand."""
    place = world.vault.documents
    key = place.prefix + world.vault.points.key("acme", POINT)
    world.storage.client().delete_object(Bucket=place.bucket, Key=key)


def test_a_volume_that_was_asked_for_is_removed_after_its_recovery_point_has_gone(
    backed_up: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has heard its id, and look-ups do not show it: asked for again it is the same one."""
    backed_up.carry_out(steps_until(AttachVolumesTrigger))
    answered, patient = Ebs.create_volume, waits.VOLUME_GONE

    async def killed(*args: Any, **kwargs: Any) -> None:
        await answered(*args, **kwargs)
        raise asyncio.CancelledError

    monkeypatch.setattr(Ebs, "create_volume", killed)
    with pytest.raises(asyncio.CancelledError):
        backed_up.run_restore_step((AttachVolumesTrigger, {}))
    monkeypatch.setattr(Ebs, "create_volume", answered)
    monkeypatch.setattr(waits, "VOLUME_GONE", replace(patient, seconds=0))
    with pytest.raises(PartError, match="could not be detached"):
        backed_up.run_restore_step(CLOSE)
    monkeypatch.setattr(waits, "VOLUME_GONE", patient)
    lose_point(backed_up)
    assert len(volumes_left(backed_up)) == 1
    backed_up.cloud.add_fault("ec2:DescribeVolumes", lag=60.0, times=None)
    assert backed_up.run_restore_step(REMOVE)["message"] == "No volume is left."
    backed_up.cloud.clear_faults()
    assert volumes_left(backed_up) == []
    assert (record(backed_up).asked_volumes, record(backed_up).asked_snapshots) == ({}, {})


def test_steps_that_clean_up_need_no_recovery_point(backed_up: World) -> None:
    before = state(backed_up)
    wreck(backed_up)
    backed_up.carry_out(steps_until(BringSiteOnlineTrigger))
    lose_point(backed_up)
    assert is_offline(backed_up)
    backed_up.run_restore_step((BringSiteOnlineTrigger, {}))
    assert not is_offline(backed_up)
    assert backed_up.run_restore_step(REMOVE)["message"] == "No volume is left."
    assert backed_up.run_restore_step(CLOSE)["restore"] == record(backed_up).id
    assert state(backed_up) == before
