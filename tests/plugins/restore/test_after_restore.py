"""One restore after another: markers, records, leases and places that an earlier one has left, or that have changed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.rules.errors import PartError, PerennialError, RefusedError
from include.rules.points.leases import Lease
from include.rules.restore.record import RestoreState, Site
from perennial.hooks.aws.host_scripts import OFFLINE_MARKER
from perennial.restore.database import RestoreDatabaseTrigger
from perennial.restore.files import CopyFilesTrigger
from tests.support.restores import (
    POINT,
    assert_all_is_back,
    assert_nothing_is_left,
    backed_up,
    database,
    is_offline,
    record,
    state,
    volumes_left,
    wreck,
)
from tests.support.steps import OPEN, RESTORE, Step
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

LATER = "2026-11-23T13:00:00Z"
CLOSE: Step = RESTORE[-1]
NAMES = [cls for cls, _ in RESTORE]


def fail_after_the_copy(world: World) -> None:
    """The files are restored, the database is not, and the run is closed."""
    world.carry_out(RESTORE[: NAMES.index(RestoreDatabaseTrigger)])
    with pytest.raises(PartError, match="The files are restored; the database is still the old one"):
        world.run_restore_step(CLOSE)


def test_going_back_to_the_safety_point_brings_the_site_online_that_a_failed_restore_has_left_offline(
    backed_up: World,
) -> None:
    wrecked = wreck(backed_up)
    fail_after_the_copy(backed_up)
    assert is_offline(backed_up)
    safety = record(backed_up).safety_point
    backed_up.restore(recovery_point=safety, moment=LATER)
    assert_all_is_back(backed_up, wrecked)
    assert record(backed_up, moment=LATER).site is Site.ONLINE


def test_a_half_restored_site_stays_offline_when_another_run_changes_nothing_or_only_its_other_half(
    backed_up: World,
) -> None:
    fail_after_the_copy(backed_up)
    backed_up.carry_out(RESTORE[: NAMES.index(CopyFilesTrigger)], moment=LATER)
    with pytest.raises(PartError, match=r"has left .* half restored"):
        backed_up.run_restore_step(CLOSE, moment=LATER)
    assert is_offline(backed_up)
    form = {"what": "database", "moment": "2026-11-23T14:00:00Z"}
    with pytest.raises(PartError, match=r"is done and checked, but: The site stays OFFLINE.*half restored"):
        backed_up.restore(**form)
    assert is_offline(backed_up)
    assert record(backed_up, **form).state is RestoreState.DONE


def test_a_run_whose_site_was_brought_online_by_hand_is_not_carried_out_again(backed_up: World) -> None:
    fail_after_the_copy(backed_up)
    (backed_up.site("acme") / OFFLINE_MARKER).unlink()
    (backed_up.site("acme") / "upload.txt").write_text("a day of work")
    with pytest.raises(RefusedError, match=r"cannot be carried out again.*Start a new restore"):
        backed_up.run_restore_step(RESTORE[1])
    assert (backed_up.site("acme") / "upload.txt").exists()
    assert not is_offline(backed_up)
    assert backed_up.lease("acme").owner is None


def test_once_another_restore_came_to_its_end_a_failed_run_is_over_and_a_backup_is_one_like_any_other(
    backed_up: World,
) -> None:
    fail_after_the_copy(backed_up)
    backed_up.restore(moment=LATER)
    now = state(backed_up)
    with pytest.raises(RefusedError, match="cannot be carried out again"):
        backed_up.run_restore_step(RESTORE[1])
    assert_all_is_back(backed_up, now)
    newer = backed_up.back_up("acme|daily|2026-11-24", "run-2")
    assert newer.half_restored is None
    assert backed_up.run_restore_step(RESTORE[0], moment="2026-11-23T14:00:00Z")["recovery_point"] == newer.id


def test_a_backup_of_a_half_restored_tenant_is_restored_only_when_it_is_named(backed_up: World) -> None:
    fail_after_the_copy(backed_up)
    newer = backed_up.back_up("acme|daily|2026-11-24", "run-2")
    assert newer.half_restored == record(backed_up).id
    result = backed_up.run_restore_step(RESTORE[0], moment=LATER)
    assert result["recovery_point"] == POINT
    assert f"Passed over, because restore {record(backed_up).id}" in result["preview"]
    assert newer.id in result["preview"]
    explicit = backed_up.run_restore_step(RESTORE[0], moment="2026-11-23T14:00:00Z", recovery_point=newer.id)
    assert "HALF RESTORED" in explicit["preview"]


def test_a_tenant_whose_restore_nobody_can_read_counts_as_half_restored_until_another_brings_all_of_it_back(
    backed_up: World,
) -> None:
    fail_after_the_copy(backed_up)
    broken, vault = record(backed_up), backed_up.vault
    key = vault.documents.prefix + vault.restores.key("acme", broken.id)
    backed_up.storage.client().put_object(Bucket=vault.documents.bucket, Key=key, Body=b'{"version": 9}')
    newer = backed_up.back_up("acme|daily|2026-11-24", "run-2")
    assert newer.half_restored == broken.id
    with pytest.raises(PartError, match=r"is done and checked, but: The site stays OFFLINE.*half restored"):
        backed_up.restore(what="database", recovery_point=POINT, moment=LATER)
    assert is_offline(backed_up)
    backed_up.restore(recovery_point=POINT, moment="2026-11-23T14:00:00Z")
    assert not is_offline(backed_up)
    assert backed_up.back_up("acme|daily|2026-11-25", "run-3").half_restored == broken.id, "its clock may be ahead"


def test_two_runs_of_the_same_second_never_share_a_plan(lent_world: World) -> None:
    beside = {"what": "files", "folder": str(lent_world.site("acme").parent / "old" / "site")}
    lent_world.run_restore_step(RESTORE[0], "run-a", moment="2026-11-23T12:00:00.100000Z", **beside)
    for second in ("2026-11-23T12:00:00.900000Z", "2026-11-23T12:00:00Z"):
        for step in RESTORE[:2]:
            with pytest.raises(RefusedError, match="belongs to another run, started in the same second"):
                lent_world.run_restore_step(step, "run-b", moment=second)
    assert lent_world.lease("acme").owner is None
    assert record(lent_world).plan.folder == beside["folder"]


def test_the_place_of_a_renamed_tenant_is_not_overwritten_under_its_old_name(lent_world: World) -> None:
    rename(lent_world)
    with pytest.raises(RefusedError, match=r"belongs to tenant acme2 today.*set into_tenant to acme2"):
        lent_world.run_restore_step(RESTORE[0])
    beside = {"folder": str(lent_world.site("acme2").parent / "old" / "site"), "database": "beside_the_renamed"}
    assert lent_world.restore_record() is None
    assert lent_world.run_restore_step(RESTORE[0], moment=LATER, **beside)["recovery_point"] == POINT


@pytest.mark.parametrize("new_name", [True, False])
def test_a_tenant_that_has_left_the_register_since_the_preview_is_not_restored(
    backed_up: World, new_name: bool
) -> None:
    backed_up.add_tenant("globex", rows=3)
    backed_up.run_restore_step(RESTORE[0])
    if new_name:
        rename(backed_up)
    else:
        del backed_up.entries["acme"]
        backed_up.write_register()
    with pytest.raises(RefusedError, match="the register has changed"):
        backed_up.run_restore_step(RESTORE[1])
    assert backed_up.lease("acme").owner is None


def test_a_lease_that_was_lost_and_is_free_again_is_taken_once_more_to_clean_up(backed_up: World) -> None:
    wreck(backed_up)
    backed_up.carry_out(RESTORE[: NAMES.index(CopyFilesTrigger)])
    expire_lease(backed_up)
    backed_up.back_up("acme|manual|2026-11-23T11:00:00Z", "run-2")
    with pytest.raises(PerennialError, match="no longer holds the lease"):
        backed_up.run_restore_step((CopyFilesTrigger, {}))
    with pytest.raises(PartError, match="Tenant acme is as it was: nothing was overwritten"):
        backed_up.run_restore_step(CLOSE)
    assert_nothing_is_left(backed_up)
    assert record(backed_up).state is RestoreState.FAILED


def test_a_lease_that_somebody_else_holds_is_left_alone_and_what_is_where_is_said(backed_up: World) -> None:
    backed_up.carry_out(RESTORE[: NAMES.index(RestoreDatabaseTrigger)])
    expire_lease(backed_up)
    backed_up.run(OPEN, "acme|manual|2026-11-23T11:00:00Z", "run-2")
    holder = backed_up.lease("acme").owner
    with pytest.raises(PartError, match="could not be closed: The run had lost") as caught:
        backed_up.run_restore_step(CLOSE)
    message = str(caught.value)
    (volume,) = volumes_left(backed_up)
    for part in (
        volume,
        "The files are restored; the database is still the old one",
        "still OFFLINE",
        "clear the task",
    ):
        assert part in message
    assert backed_up.lease("acme").owner == holder


def rename(world: World) -> None:
    entry = world.entries.pop("acme")
    world.entries["acme2"] = {**entry, "id": "acme2"}
    world.write_register()


def expire_lease(world: World) -> None:
    """The triggerer was down for longer than the lease lasts."""
    past = datetime(2020, 1, 1, tzinfo=UTC)

    def expired(lease: Lease | None) -> Lease:
        assert lease
        return lease.model_copy(update={"expires_at": past})

    world.runner.run(world.vault.change_lease("acme", expired))


@pytest.mark.parametrize("source", ["backup file", "snapshot"])
@pytest.mark.parametrize("is_dropped", [True, False])
def test_a_database_that_was_restored_in_place_lies_where_the_next_backup_looks_for_it(
    backed_up: World, source: str, *, is_dropped: bool
) -> None:
    rows = backed_up.rows("acme")
    if is_dropped:
        backed_up.sql.drop_database(database(backed_up))
    backed_up.restore(what="database", database_from=source)
    assert backed_up.rows("acme") == rows
    assert_nothing_is_left(backed_up)
    manifest = backed_up.back_up("acme|daily|2026-11-24")
    assert manifest.verification
    assert manifest.verification.level == 2
