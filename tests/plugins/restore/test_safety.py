"""Never worse than before: the safety point, what it cannot hold, and the way back from a restore."""

from __future__ import annotations

import time
from typing import Any

import pytest

from include.rules.errors import DamagedBackupError, PerennialError, RefusedError
from include.rules.points.parts import PartName
from include.rules.points.transitions import State
from include.rules.restore.record import RestoreState
from perennial.hooks.sql_server import tsql
from perennial.restore.database import RestoreDatabaseTrigger
from perennial.restore.files import CopyFilesTrigger
from perennial.restore.safety_point import TakeSafetyPointTrigger
from tests.support.restores import access, assert_all_is_back, backed_up, damage, database, record, state, wreck
from tests.support.steps import RESTORE, TODAY, Step, steps_until
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

NAMES = [cls for cls, _ in RESTORE]


def test_a_database_that_cannot_be_backed_up_any_more_is_kept_safe_by_its_snapshot(backed_up: World) -> None:
    rows, name = backed_up.rows("acme"), database(backed_up)
    backed_up.sql.run(f"ALTER DATABASE [{name}] SET OFFLINE")
    backed_up.restore(what="database")
    point = backed_up.manifest(record(backed_up, what="database").safety_request)
    assert point.left_out[PartName.BAK] == f"database {name} is OFFLINE: its snapshot has to do"
    assert point.parts.db_snapshot
    assert (backed_up.rows("acme"), access(backed_up)) == (rows, ("ONLINE", "MULTI_USER"))


def test_a_restore_begun_again_after_the_site_was_online_takes_another_safety_point(backed_up: World) -> None:
    before, form = state(backed_up), {"what": "files"}
    wreck(backed_up)
    backed_up.carry_out(steps_until(CopyFilesTrigger), **form)
    with pytest.raises(PerennialError):
        backed_up.run_restore_step(RESTORE[-1], **form)
    first = record(backed_up, **form).safety_point
    assert first
    (backed_up.site("acme") / "upload.txt").write_text("written while the site was online")
    time.sleep(1.1)  # the safety point's slot is a second
    backed_up.carry_out(RESTORE[1:], **form)
    second = record(backed_up, **form).safety_point
    assert second != first
    backed_up.restore(recovery_point=second, moment="2026-11-23T13:00:00Z", **form)
    assert (backed_up.site("acme") / "upload.txt").exists()
    assert state(backed_up) != before


def test_without_a_safety_point_nothing_is_overwritten(backed_up: World) -> None:
    wrecked = wreck(backed_up)
    backed_up.cloud.add_fault("ec2:CreateSnapshot", code="UnauthorizedOperation", status=403)
    with pytest.raises(PerennialError, match="could not be snapshotted"):
        backed_up.restore()
    with pytest.raises(PerennialError, match="nothing was overwritten"):
        backed_up.run_restore_step(RESTORE[-1])
    assert_all_is_back(backed_up, wrecked)
    assert backed_up.manifest(record(backed_up).safety_request).state is State.FAILED


def test_a_preview_of_a_host_that_does_not_answer_refuses(lent_world: World) -> None:
    lent_world.cloud.add_fault("ssm:SendCommand", code="InvalidInstanceId", status=400)
    before_it = state(lent_world)
    with pytest.raises(PerennialError, match="could not be sent to host"):
        lent_world.run_restore_step(RESTORE[0])
    assert_all_is_back(lent_world, before_it)


def test_an_approval_is_asked_for_when_the_request_or_the_plan_wants_it(lent_world: World) -> None:
    forms: list[dict[str, Any]] = [{}, {"approval": True, "moment": "2026-11-23T13:00:00Z"}]
    for form in forms:
        trigger = lent_world.restore_step(RESTORE[0], **form)
        result = lent_world.runner.run(trigger.work_within_deadline())
        skipped = trigger.xcoms(result)["skipmixin_key"]["skipped"]
        assert (skipped, result["approval"]) == ((["approval"], []) if not form else ([], ["the request asks for it"]))


def test_a_safety_point_taken_twice_is_one(backed_up: World) -> None:
    for step in steps_until(TakeSafetyPointTrigger):
        backed_up.run_restore_step(step)
    safety_step: Step = (TakeSafetyPointTrigger, {})
    result = [backed_up.run_restore_step(safety_step)["message"] for _ in range(2)]
    assert result[0] == result[1]
    assert len(backed_up.snapshots(record(backed_up).safety_request)) == 2


def test_a_volume_that_cannot_be_deleted_makes_a_good_restore_end_red(backed_up: World) -> None:
    before_it, form = state(backed_up)[0], {"what": "files"}
    wreck(backed_up)
    backed_up.carry_out(RESTORE[:-2], **form)
    backed_up.cloud.add_fault("ec2:DeleteVolume", code="UnauthorizedOperation", status=403, times=None)
    for step in RESTORE[-2:]:
        with pytest.raises(PerennialError, match="UnauthorizedOperation"):
            backed_up.run_restore_step(step, **form)
    backed_up.cloud.clear_faults()
    assert record(backed_up, **form).state is RestoreState.DONE
    assert state(backed_up)[0] == before_it
    assert backed_up.lease("acme").owner is None


def without_mount(world: World) -> None:
    """The register does not say where the database volume shows, and the database cannot be backed up."""
    del world.entries["acme"]["database"]["mount"]
    world.write_register()
    world.sql.run(f"ALTER DATABASE [{database(world)}] SET OFFLINE")


def test_a_database_that_cannot_be_kept_safe_is_overwritten_only_once_approved_and_nothing_else_is_promised(
    backed_up: World,
) -> None:
    without_mount(backed_up)
    result = backed_up.run_restore_step(RESTORE[0])
    assert "cannot be kept safe before: it is OFFLINE" in result["approval"][0]
    assert "database.mount" in result["approval"][0]
    assert "The database as it is now is LOST" in result["preview"]
    steps = backed_up.carry_out(RESTORE[1:])["steps"]
    assert "the database cannot be brought back: it is OFFLINE" in steps["take_safety_point"]
    assert "to undo" not in steps["take_safety_point"]


def test_a_database_that_can_no_longer_be_kept_safe_after_the_preview_is_not_overwritten(lent_world: World) -> None:
    del lent_world.entries["acme"]["database"]["mount"]
    lent_world.write_register()
    lent_world.run_restore_step(RESTORE[0], what="database")
    rows, name = lent_world.rows("acme"), database(lent_world)
    lent_world.sql.run(f"ALTER DATABASE [{name}] SET OFFLINE")
    with pytest.raises(RefusedError, match="cannot be kept safe before it is overwritten: it is OFFLINE"):
        lent_world.carry_out(RESTORE[1:], what="database")
    with pytest.raises(PerennialError, match="nothing was overwritten"):
        lent_world.run_restore_step(RESTORE[-1], what="database")
    lent_world.sql.run(f"ALTER DATABASE [{name}] SET ONLINE")
    assert lent_world.rows("acme") == rows


def test_where_there_is_no_database_nothing_is_lost_and_no_empty_safety_point_is_taken(backed_up: World) -> None:
    rows = backed_up.rows("acme")
    backed_up.sql.drop_database(database(backed_up))
    result = backed_up.restore(what="database")
    assert result["safety_point"] is None
    assert result["steps"]["take_safety_point"].startswith("No safety point was taken")
    assert backed_up.rows("acme") == rows


def test_a_restore_of_a_database_that_was_not_there_can_be_begun_again_after_it_broke_off(backed_up: World) -> None:
    rows, name, form = backed_up.rows("acme"), database(backed_up), {"what": "database"}
    backed_up.sql.drop_database(name)
    backed_up.carry_out(RESTORE[: NAMES.index(RestoreDatabaseTrigger)], **form)
    (key,) = backed_up.files(TODAY)
    body = backed_up.read_file(key)
    damage(backed_up)
    with pytest.raises(DamagedBackupError):
        backed_up.run_restore_step(RESTORE[NAMES.index(RestoreDatabaseTrigger)], **form)
    with pytest.raises(PerennialError):
        backed_up.run_restore_step(RESTORE[-1], **form)
    backed_up.write_file(key, body)
    backed_up.carry_out(RESTORE[1:], **form)
    assert backed_up.rows("acme") == rows


def test_a_safety_point_does_not_queue_behind_the_backups_of_others(backed_up: World) -> None:
    backed_up.carry_out(steps_until(TakeSafetyPointTrigger), what="database")
    with backed_up.sql.connect() as others, others.cursor() as cursor:
        for slot in range(backed_up.vault.settings.backups_per_server):
            cursor.execute(tsql.take_lock(f"{tsql.LOCK_PREFIX}{slot}"))
            assert cursor.fetchall() == [(0,)]
        result = backed_up.run_restore_step((TakeSafetyPointTrigger, {}), what="database")["message"]
    assert "restore it to undo this restore" in result
