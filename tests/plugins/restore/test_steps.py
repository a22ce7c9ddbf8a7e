"""A restore in place, step by step on the lab's servers: what comes back, what is refused, what a crash leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from include.rules.errors import ConfigurationError, LeaseBusyError, PartError, RefusedError
from include.rules.points.manifest import Manifest
from include.rules.points.transitions import State
from include.rules.restore.record import RestoreState
from include.rules.retention.expiry import marked
from perennial.restore.files import CopyFilesTrigger
from perennial.restore.open import OpenRestoreTrigger
from perennial.restore.preview import PreviewRestoreTrigger
from perennial.restore.step import RestoreTrigger
from tests.support import sweeps
from tests.support.restores import (
    POINT,
    TODAY,
    access,
    assert_all_is_back,
    assert_nothing_is_left,
    backed_up,
    damage,
    database,
    is_offline,
    record,
    state,
    volumes_left,
    wreck,
)
from tests.support.triggers import CutOff
from tests.support.world import OPEN, RESTORE, Step, World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

CLOSE_RESTORE: Step = RESTORE[-1]


def steps_until(last: type[RestoreTrigger]) -> list[Step]:
    """The steps of a restore before `last`."""
    return RESTORE[: [cls for cls, _ in RESTORE].index(last)]


def test_files_and_rows_come_back_as_they_were(backed_up: World) -> None:
    before = state(backed_up)
    assert wreck(backed_up) != before
    result = backed_up.restore()
    assert_all_is_back(backed_up, before)
    assert result["recovery_point"] == POINT
    assert record(backed_up).state is RestoreState.DONE
    assert [step.name for step in record(backed_up).steps] == [
        "take_site_offline",
        "take_safety_point",
        "attach_volumes",
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
    backed_up.sql.run(f"DROP DATABASE [{database(backed_up)}]")
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


@pytest.mark.parametrize(
    ("form", "error", "message"),
    [
        ({"confirm": "yes"}, ConfigurationError, "does not repeat 'acme'"),
        ({"tenant": "nobody"}, RefusedError, "Tenant nobody has no verified recovery point"),
        ({"tenant": "../x"}, ConfigurationError, "a tenant id is"),
        ({"recovery_point": "acme-daily-19990101"}, RefusedError, f"no recovery point.*newest verified one is {POINT}"),
        ({"into_tenant": "nobody"}, ConfigurationError, "There is no tenant 'nobody'"),
    ],
)
def test_what_must_not_be_restored_is_refused_by_the_preview_and_nothing_touched(
    backed_up: World, form: dict[str, Any], error: type[Exception], message: str
) -> None:
    before = state(backed_up)
    with pytest.raises(error, match=message):
        backed_up.run_restore_step(RESTORE[0], **form)
    assert state(backed_up) == before
    assert backed_up.lease("acme").owner is None


def test_a_preview_touches_nothing_and_holds_nothing(backed_up: World) -> None:
    before = state(backed_up)
    result = backed_up.run_restore_step(RESTORE[0])
    assert "is OVERWRITTEN" in result["preview"]
    assert record(backed_up).state is RestoreState.PLANNED
    assert_all_is_back(backed_up, before)


def test_a_busy_tenant_is_not_restored_and_the_holder_is_named(backed_up: World) -> None:
    backed_up.run_restore_step(RESTORE[0])
    backed_up.run(OPEN, "acme|manual|2026-11-23T11:00:00Z", "run-2")
    for step in RESTORE[:2]:
        with pytest.raises(LeaseBusyError, match=r"Tenant acme is busy: a backup holds its lease.*run-2"):
            backed_up.run_restore_step(step)


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


def test_a_tenant_that_has_moved_since_the_preview_is_not_restored(backed_up: World) -> None:
    backed_up.run_restore_step(RESTORE[0])
    backed_up.entries["acme"]["web"]["instance"] = "i-0123456789abcdef0"
    backed_up.write_register()
    with pytest.raises(RefusedError, match="has moved since restore"):
        backed_up.run_restore_step(RESTORE[1])
    assert backed_up.lease("acme").owner is None


@pytest.mark.timeout(900)
@sweeps.every(24, closest=2)
def test_every_step_cut_off_at_any_await_and_begun_again_ends_right(backed_up: World, every: int) -> None:
    before, cuts = state(backed_up), 0
    wreck(backed_up)
    for number, step in enumerate(RESTORE):
        # A step that is done and begun again does its work again: each cut is one in the midst of it.
        for suspension in range(1, 400, every if number else max(every, 5)):
            trigger = backed_up.restore_step(step)
            if not backed_up.runner.run(CutOff.run(trigger.work_within_deadline(), suspension)):
                break
            cuts += 1
        else:
            pytest.fail(f"{step} never came to its end")
    assert cuts > 200 // every
    assert_all_is_back(backed_up, before)
    safety = record(backed_up).safety_request
    assert backed_up.manifest(safety).state is State.VERIFIED
    assert (len(backed_up.snapshots(safety)), len(backed_up.files(safety))) == (2, 1)


def test_the_volume_counts_as_attached_when_the_host_has_it_and_not_before(backed_up: World) -> None:
    backed_up.carry_out(steps_until(CopyFilesTrigger))
    (volume,) = volumes_left(backed_up)
    assert backed_up.cloud.volume_state(volume) == ("in-use", "attached")
    with pytest.raises(PartError):
        backed_up.run_restore_step(CLOSE_RESTORE)
    assert volumes_left(backed_up) == []


def test_a_run_marked_failed_during_the_copy_leaves_no_volume_and_says_what_is_where(backed_up: World) -> None:
    wreck(backed_up)
    for step in steps_until(CopyFilesTrigger):
        backed_up.run_restore_step(step)

    async def mark_failed() -> str:
        copy = backed_up.restore_step((CopyFilesTrigger, {}))
        task = asyncio.create_task(copy.work_within_deadline())
        await asyncio.sleep(0.2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await copy.on_kill()
        with pytest.raises(PartError) as caught:
            await backed_up.restore_step(CLOSE_RESTORE).work_within_deadline()
        return str(caught.value)

    message = backed_up.runner.run(mark_failed())
    assert "of tenant acme was not completed: The run was ended" in message
    assert "may be partly old and partly restored." in message
    assert "The site of tenant acme is still OFFLINE" in message
    assert f"safety point {record(backed_up).safety_point}: restore it to go back" in message
    assert "(attach_volumes) Volume vol-" in message
    assert volumes_left(backed_up) == []
    assert record(backed_up).state is RestoreState.FAILED
    assert backed_up.lease("acme").owner is None


def test_a_restore_that_broke_off_is_carried_out_whole_by_clearing_open(backed_up: World) -> None:
    before, wrecked = state(backed_up), wreck(backed_up)
    for step in steps_until(CopyFilesTrigger):
        backed_up.run_restore_step(step)
    # The copy has changed a file, and died.
    (backed_up.site("acme") / "index.html").write_text("half restored")
    backed_up.runner.run(_begun_on_the_copy(backed_up))
    with pytest.raises(PartError):
        backed_up.run_restore_step(CLOSE_RESTORE)
    assert is_offline(backed_up)
    safety = record(backed_up).safety_point
    for step in RESTORE[1:]:
        backed_up.run_restore_step(step)
    assert_all_is_back(backed_up, before)
    # What the first attempt had kept safe, before anything was overwritten, is still the state to go back to.
    assert record(backed_up).safety_point == safety
    backed_up.restore(recovery_point=safety, moment="2026-11-23T13:00:00Z")
    assert state(backed_up) == wrecked


async def _begun_on_the_copy(world: World) -> None:
    version = await world.vault.restores.get("acme", "acme-restore-20261123T120000Z")
    assert version
    begun = version.value.beginning_on("copy_files", "the folder")
    await world.vault.restores.replace(begun, version.etag)


def test_users_are_let_in_again_when_the_backup_file_was_damaged_after_the_preview(backed_up: World) -> None:
    rows = wreck(backed_up)[1]
    backed_up.run_restore_step(RESTORE[0], what="database")
    damage(backed_up)
    with pytest.raises(PartError, match="was not restored"):
        backed_up.carry_out(RESTORE[1:], what="database")
    with pytest.raises(PartError) as caught:
        backed_up.run_restore_step(CLOSE_RESTORE, what="database")
    if access(backed_up)[0] == "ONLINE":
        assert access(backed_up) == ("ONLINE", "MULTI_USER")
        assert backed_up.rows("acme") == rows
    else:
        assert f"is {access(backed_up)[0]}" in str(caught.value)
    assert "restore it to go back" in str(caught.value)
    safety = record(backed_up, what="database").safety_point
    backed_up.restore(what="database", recovery_point=safety, moment="2026-11-23T13:00:00Z")
    assert backed_up.rows("acme") == rows
    assert not is_offline(backed_up)


def test_a_folder_that_the_snapshot_does_not_have_stops_the_restore_before_anything_is_overwritten(
    world: World,
) -> None:
    world.back_up(TODAY)
    point = world.manifest(TODAY)
    web = point.source.web.model_copy(update={"path": point.source.web.mount + "/never-there"})
    changed = point.source.model_copy(update={"web": web})
    world.runner.run(world.vault.change_point("acme", point.id, lambda m: m.model_copy(update={"source": changed})))
    with pytest.raises(PartError, match="has no folder never-there"):
        world.restore()
    with pytest.raises(PartError, match="Tenant acme is as it was: nothing was overwritten"):
        world.run_restore_step(CLOSE_RESTORE)
    assert (world.site("acme") / "index.html").read_text() == "welcome to acme"
    assert_nothing_is_left(world)


def test_one_damaged_manifest_stands_in_the_way_of_no_other_point(backed_up: World) -> None:
    vault, s3 = backed_up.vault, backed_up.storage.client()
    for point, body in (("acme-daily-20250101", b"{not json"), ("acme-daily-20250102", b'{"version": 2}')):
        key = f"{vault.documents.prefix}recovery-points/acme/{point}/manifest.json"
        s3.put_object(Bucket=vault.documents.bucket, Key=key, Body=body)
        with pytest.raises(PartError, match=f"{point}/manifest.json"):
            backed_up.restore(recovery_point=point)
    assert backed_up.restore(recovery_point=POINT)["recovery_point"] == POINT
    assert backed_up.restore(moment="2026-11-23T13:00:00Z")["recovery_point"] == POINT


def test_a_restore_that_is_ended_while_it_opens_gives_the_lease_back_and_leaves_the_point_alone(
    backed_up: World,
) -> None:
    backed_up.run_restore_step((PreviewRestoreTrigger, {"approval_task": "approval"}))

    async def open_and_end() -> None:
        trigger = backed_up.restore_step((OpenRestoreTrigger, {}))
        await trigger.work_within_deadline()
        assert (await backed_up.vault.points.require("acme", POINT)).value.readers
        await trigger.on_kill()

    backed_up.runner.run(open_and_end())
    assert_nothing_is_left(backed_up)


def failed(manifest: Manifest) -> Manifest:
    return manifest.model_copy(update={"state": State.FAILED})


def expiring(manifest: Manifest) -> Manifest:
    return marked(manifest, datetime.now(UTC))


@pytest.mark.parametrize("change", [failed, expiring])
def test_a_point_that_is_taken_away_after_the_preview_is_not_restored(
    backed_up: World, change: Callable[[Manifest], Manifest]
) -> None:
    backed_up.run_restore_step(RESTORE[0])
    state_now = backed_up.runner.run(backed_up.vault.change_point("acme", POINT, change)).state
    with pytest.raises(RefusedError, match=f"is {state_now}, not verified"):
        backed_up.run_restore_step(RESTORE[1])
    assert backed_up.lease("acme").owner is None
