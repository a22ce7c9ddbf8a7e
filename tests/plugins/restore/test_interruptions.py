"""Restores that break off, or are ended: what they leave, and how they are carried out whole."""

from __future__ import annotations

import asyncio
import re

import pytest

from include.rules.errors import PartError
from include.rules.points.transitions import State
from include.rules.restore.record import COPY_FILES, RestoreRecord, RestoreState
from lab.testing.deadlines import within
from perennial.restore.database import RestoreDatabaseTrigger
from perennial.restore.files import CopyFilesTrigger
from perennial.restore.open import OpenRestoreTrigger
from perennial.restore.preview import PreviewRestoreTrigger
from tests.support import sweeps
from tests.support.restores import (
    POINT,
    access,
    assert_all_is_back,
    assert_nothing_is_left,
    backed_up,
    damage,
    is_offline,
    record,
    state,
    volumes_left,
    wreck,
)
from tests.support.steps import RESTORE, Step, steps_until
from tests.support.triggers import CutOff
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

CLOSE_RESTORE: Step = RESTORE[-1]


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


def test_a_run_marked_failed_during_the_copy_leaves_no_volume_and_says_what_is_where(backed_up: World) -> None:
    wreck(backed_up)
    for step in steps_until(CopyFilesTrigger):
        backed_up.run_restore_step(step)

    before = record(backed_up)

    async def of_vault() -> RestoreRecord:
        return (await backed_up.vault.restores.require(before.tenant, before.id)).value

    async def mark_failed() -> str:
        copy = backed_up.restore_step((CopyFilesTrigger, {}))
        task = asyncio.create_task(copy.work_within_deadline())
        async with asyncio.timeout(within(30)):
            while COPY_FILES not in (await of_vault()).begun:  # noqa: ASYNC110 - the vault sends no event
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await copy.on_kill()
        with pytest.raises(PartError) as caught:
            await backed_up.restore_step(CLOSE_RESTORE).work_within_deadline()
        return str(caught.value)

    message = backed_up.runner.run(mark_failed())
    # It may have been ended before it held the record.
    assert re.search("of tenant acme was not completed: (`copy_files` failed: The task|The run) was ended", message)
    assert "may be partly old and partly restored." in message
    assert "The site of tenant acme is still OFFLINE" in message
    assert f"safety point {record(backed_up).safety_point}: restore it to go back" in message
    assert "(attach_volumes) Volume vol-" in message
    assert volumes_left(backed_up) == []
    assert record(backed_up).state is RestoreState.FAILED
    assert backed_up.lease("acme").owner is None


def test_a_restore_that_broke_off_is_carried_out_whole_by_clearing_open(backed_up: World) -> None:
    before = state(backed_up)
    wreck(backed_up)
    for step in steps_until(CopyFilesTrigger):
        backed_up.run_restore_step(step)
    # The copy has changed a file, and died.
    (backed_up.site("acme") / "index.html").write_text("half restored")
    backed_up.runner.run(_begun_on_the_copy(backed_up))
    with pytest.raises(PartError):
        backed_up.run_restore_step(CLOSE_RESTORE)
    assert is_offline(backed_up)
    request = record(backed_up).safety_request
    safety = backed_up.manifest(request)
    for step in RESTORE[1:]:
        backed_up.run_restore_step(step)
    assert_all_is_back(backed_up, before)
    # What the first attempt had kept safe, before anything was overwritten, is still the state to go back to.
    assert (record(backed_up).safety_request, backed_up.manifest(request)) == (request, safety)


async def _begun_on_the_copy(world: World) -> None:
    version = await world.vault.restores.get("acme", "acme-restore-20261123T120000Z")
    assert version
    begun = version.value.beginning_on("copy_files", "the folder")
    await world.vault.restores.replace(begun, version.etag)


def test_users_are_let_in_again_when_the_backup_file_was_damaged_after_the_last_look(backed_up: World) -> None:
    rows = wreck(backed_up)[1]
    until = [cls for cls, _ in RESTORE].index(RestoreDatabaseTrigger)
    backed_up.carry_out(RESTORE[:until], what="database")
    damage(backed_up)
    with pytest.raises(PartError, match="was not restored"):
        backed_up.run_restore_step(RESTORE[until], what="database")
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


def test_a_restore_that_is_ended_while_it_opens_gives_the_lease_back_and_leaves_the_point_alone(
    lent_world: World,
) -> None:
    lent_world.run_restore_step((PreviewRestoreTrigger, {"approval_task": "approval"}))

    async def open_and_end() -> None:
        trigger = lent_world.restore_step((OpenRestoreTrigger, {}))
        await trigger.work_within_deadline()
        assert (await lent_world.vault.points.require("acme", POINT)).value.readers
        await trigger.on_kill()

    lent_world.runner.run(open_and_end())
    assert_nothing_is_left(lent_world)
