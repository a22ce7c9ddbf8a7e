"""What must not be restored: the preview or the first step refuses it, and nothing is touched."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from include.rules.errors import ConfigurationError, LeaseBusyError, PartError, RefusedError
from include.rules.points.manifest import Manifest
from include.rules.points.transitions import State
from include.rules.restore.record import RestoreState
from include.rules.retention.expiry import marked
from tests.support.restores import POINT, assert_all_is_back, assert_nothing_is_left, record, state
from tests.support.steps import OPEN, RESTORE, TODAY, Step
from tests.support.world import World

pytestmark = pytest.mark.lab

CLOSE_RESTORE: Step = RESTORE[-1]


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"confirm": "yes"}, ConfigurationError, "does not repeat 'acme'"),
    ({"tenant": "nobody"}, RefusedError, "Tenant nobody has no verified recovery point"),
    ({"tenant": "../x"}, ConfigurationError, "a tenant id is"),
    ({"recovery_point": "acme-daily-19990101"}, RefusedError, f"no recovery point.*newest verified one is {POINT}"),
    ({"into_tenant": "nobody"}, ConfigurationError, "There is no tenant 'nobody'"),
]


def test_what_must_not_be_restored_is_refused_by_the_preview_and_nothing_touched(lent_world: World) -> None:
    before = state(lent_world)
    for form, error, message in REFUSED:
        with pytest.raises(error, match=message):
            lent_world.run_restore_step(RESTORE[0], **form)
        assert state(lent_world) == before
        assert lent_world.lease("acme").owner is None


def test_a_preview_touches_nothing_and_holds_nothing(lent_world: World) -> None:
    before = state(lent_world)
    result = lent_world.run_restore_step(RESTORE[0])
    assert "is OVERWRITTEN" in result["preview"]
    assert record(lent_world).state is RestoreState.PLANNED
    assert_all_is_back(lent_world, before)


def test_a_busy_tenant_is_not_restored_and_the_holder_is_named(lent_world: World) -> None:
    lent_world.run_restore_step(RESTORE[0])
    lent_world.run(OPEN, "acme|manual|2026-11-23T11:00:00Z", "run-2")
    for step in RESTORE[:2]:
        with pytest.raises(LeaseBusyError, match=r"Tenant acme is busy: a backup holds its lease.*run-2"):
            lent_world.run_restore_step(step)


def test_a_tenant_that_has_moved_since_the_preview_is_not_restored(lent_world: World) -> None:
    lent_world.run_restore_step(RESTORE[0])
    lent_world.entries["acme"]["web"]["instance"] = "i-0123456789abcdef0"
    lent_world.write_register()
    with pytest.raises(RefusedError, match="has moved since restore"):
        lent_world.run_restore_step(RESTORE[1])
    assert lent_world.lease("acme").owner is None


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


def test_one_damaged_manifest_stands_in_the_way_of_no_other_point(lent_world: World) -> None:
    vault, s3 = lent_world.vault, lent_world.storage.client()
    for point, body in (("acme-daily-20250101", b"{not json"), ("acme-daily-20250102", b'{"version": 2}')):
        key = f"{vault.documents.prefix}recovery-points/acme/{point}/manifest.json"
        s3.put_object(Bucket=vault.documents.bucket, Key=key, Body=body)
        with pytest.raises(PartError, match=f"{point}/manifest.json"):
            lent_world.restore(recovery_point=point)
    for form in ({"recovery_point": POINT}, {"moment": "2026-11-23T13:00:00Z"}):
        assert lent_world.run_restore_step(RESTORE[0], **form)["recovery_point"] == POINT
        lent_world.run_restore_step(RESTORE[1], **form)


def failed(manifest: Manifest) -> Manifest:
    return manifest.model_copy(update={"state": State.FAILED})


def expiring(manifest: Manifest) -> Manifest:
    return marked(manifest, datetime.now(UTC))


@pytest.mark.parametrize("change", [failed, expiring])
def test_a_point_that_is_taken_away_after_the_preview_is_not_restored(
    lent_world: World, change: Callable[[Manifest], Manifest]
) -> None:
    lent_world.run_restore_step(RESTORE[0])
    state_now = lent_world.runner.run(lent_world.vault.change_point("acme", POINT, change)).state
    with pytest.raises(RefusedError, match=f"is {state_now}, not verified"):
        lent_world.run_restore_step(RESTORE[1])
    assert lent_world.lease("acme").owner is None
