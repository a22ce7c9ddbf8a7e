"""What was approved is what is carried out: a preview that is made anew after its question was put."""

from __future__ import annotations

from typing import Any

import pytest

from include.rules.errors import OutrankedError, RefusedError
from include.rules.points.approvals import NOBODY, NOT_TOLD, seal_in
from include.rules.points.backup_files import BackupFilePart
from include.rules.points.manifest import Manifest
from include.rules.restore.record import RestoreRecord, RestoreState
from perennial.restore.open import OpenRestoreTrigger
from perennial.restore.preview import PreviewRestoreTrigger
from tests.support.restores import POINT, assert_nothing_is_left, backed_up, record, state
from tests.support.steps import TODAY, Step
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

PREVIEW: Step = (PreviewRestoreTrigger, {"approval_task": "approval"})
LATER = "acme|manual|2026-11-23T11:00:00Z"


def previewed(world: World, **form: Any) -> str:
    """Preview a restore; the seal of the plan that the question shows."""
    shown = world.run_restore_step(PREVIEW, **form)["preview"]
    assert "Retention: acme-" in shown, "an approval may take days: how long the point is kept"
    return seal_in(shown)


def opened(world: World, approved: str, **form: Any) -> None:
    world.run_restore_step((OpenRestoreTrigger, {"approved": approved}), **form)


def refused(world: World, approved: str, **form: Any) -> str:
    """What `open` says; it has to leave everything as it was."""
    before = state(world)
    with pytest.raises(RefusedError) as caught:
        opened(world, approved, **form)
    assert state(world) == before
    assert record(world, **form).state is RestoreState.PLANNED
    assert_nothing_is_left(world)
    return str(caught.value)


def test_a_newer_point_of_a_preview_made_anew_is_not_restored_by_the_old_approval(lent_world: World) -> None:
    approved = previewed(lent_world, approval=True)
    lent_world.back_up(LATER)
    assert previewed(lent_world, approval=True) != approved
    message = refused(lent_world, approved, approval=True)
    assert f"recovery point: {POINT}, now acme-manual-20261123T110000Z" in message
    assert "Start a new restore, and look at its preview." in message
    opened(lent_world, previewed(lent_world, approval=True), approval=True)


def test_a_preview_made_anew_that_shows_the_same_plan_is_still_approved(backed_up: World) -> None:
    approved = previewed(backed_up, approval=True)
    (backed_up.site("acme") / "more.txt").write_text("sizes and counts of the preview are no deeds")
    assert previewed(backed_up, approval=True) == approved
    opened(backed_up, approved, approval=True)


def test_a_skipped_approval_is_none_for_a_plan_that_wants_one(lent_world: World) -> None:
    previewed(lent_world)
    bak = lent_world.manifest(TODAY).parts.bak
    assert bak
    lent_world.write_file(bak.keys[0], b"shorter")
    previewed(lent_world)  # the snapshot has to stand in for the .bak: somebody has to approve that
    message = refused(lent_world, NOBODY)
    assert "has to be approved, and nobody was asked" in message


def test_an_approval_of_a_plan_that_wanted_one_is_none_for_another_that_wants_none(lent_world: World) -> None:
    bak = lent_world.manifest(TODAY).parts.bak
    assert bak
    body = lent_world.read_file(bak.keys[0])
    lent_world.write_file(bak.keys[0], b"shorter")
    approved = previewed(lent_world)
    lent_world.write_file(bak.keys[0], body)
    previewed(lent_world)
    message = refused(lent_world, approved)
    assert "database from: snapshot, now backup file" in message


@pytest.mark.parametrize("approved", [NOT_TOLD, NOBODY])
def test_a_point_that_was_made_anew_since_the_preview_is_not_restored(lent_world: World, approved: str) -> None:
    previewed(lent_world)

    def another_file(part: BackupFilePart) -> BackupFilePart:
        files = tuple(file.model_copy(update={"key": f"{file.key}-2"}) for file in part.files)
        return part.model_copy(update={"files": files})

    def made_anew(manifest: Manifest) -> Manifest:
        assert manifest.parts.bak
        parts = manifest.parts.model_copy(update={"bak": another_file(manifest.parts.bak)})
        return manifest.model_copy(update={"parts": parts})

    lent_world.change_manifest(TODAY, made_anew)
    message = refused(lent_world, approved)
    assert f"Recovery point {POINT} of tenant acme was made anew since this restore was planned" in message


def test_a_stalled_preview_that_goes_on_puts_no_unseen_plan_in_the_place_of_a_later_ones(lent_world: World) -> None:
    newer = lent_world.restore_step(PREVIEW)

    class Stalled(PreviewRestoreTrigger):
        async def _make_plan(self, *arguments: Any) -> RestoreRecord:
            planned = await super()._make_plan(*arguments)
            await newer.work_within_deadline()
            return planned

    older = lent_world.restore_step((Stalled, {"approval_task": "approval"}))
    with pytest.raises(OutrankedError, match="A later preview"):
        lent_world.runner.run(older.work_within_deadline())
    assert record(lent_world).preview
    opened(lent_world, NOBODY)
