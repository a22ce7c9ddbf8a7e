"""The failures of an attempt: the first cause stays first, and what is kept of them is bounded."""

from __future__ import annotations

import pytest

from include.rules.points.failures import KEPT, LONGEST, NO_REASON, StepFailure, describe, merged
from include.rules.points.manifest import Manifest
from tests.unit.builders import NOW, running


def failures(*texts: str) -> list[StepFailure]:
    """Failures written as `step: message`."""
    return [StepFailure(step=step, message=message) for step, _, message in (text.partition(": ") for text in texts)]


@pytest.mark.parametrize(
    ("known", "more", "told"),
    [
        ([], [], []),
        (["copy: no room"], ["remove: busy"], ["copy: no room", "remove: busy"]),
        (["remove: busy"], ["copy: no room"], ["copy: no room", "remove: busy"]),
        (["copy: no room"], ["copy: no room"], ["copy: no room"]),
        (["copy: no room"], ["copy: half a file"], ["copy: no room", "copy: half a file"]),
        (["copy: no room"], [f"copy: {NO_REASON}"], ["copy: no room"]),
        ([], [f"copy: {NO_REASON}"], [f"copy: {NO_REASON}"]),
        (["remove: busy"], [f"copy: {NO_REASON}"], [f"copy: {NO_REASON}", "remove: busy"]),
    ],
)
def test_the_first_cause_is_the_first_failure_of_no_clean_up(
    known: list[str], more: list[str], told: list[str]
) -> None:
    assert list(merged(failures(*known), failures(*more), clean_up=("remove",))) == failures(*told)


def test_what_is_kept_of_failures_is_bounded_and_the_first_of_them_stays() -> None:
    many = merged((), failures(*(f"step: {number} {'x' * 3 * LONGEST}" for number in range(3 * KEPT))))
    assert len(many) == KEPT
    assert many[0].message.startswith("0 xxx")
    assert max(len(failure.message) for failure in many) == LONGEST
    assert merged(many, many) == many


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ([], None),
        (["copy: no room"], "`copy` failed: no room"),
        (
            ["copy: no room", "remove: busy [volume=vol-1]"],
            "`copy` failed: no room. After that `remove` failed: busy [volume=vol-1]",
        ),
        ([": no room", "remove: It is busy."], "no room. After that `remove` failed: It is busy."),
    ],
)
def test_failures_in_words(texts: list[str], told: str | None) -> None:
    assert describe(failures(*texts)) == told


def test_a_step_that_is_done_after_all_forgets_its_own_failures_only() -> None:
    point = (
        running().with_failure("no disk", "snapshot").with_failure("no room", "backup").with_failure("late", "backup")
    )
    assert point.with_step_done("backup").failure == "`snapshot` failed: no disk"
    assert point.with_step_done("backup").with_step_done("snapshot").failures == ()
    assert point.with_step_done("snapshot").with_step_done("backup").failure is None


def test_a_manifest_from_before_keeps_its_reason_as_the_first_one() -> None:
    """Manifests used to hold the text alone."""
    stored = running().model_copy(update={"failure": "no disk"}).model_dump(mode="json")
    del stored["failures"]
    old = Manifest.model_validate(stored)
    assert old.closed(NOW).failure == "no disk"
    assert old.with_failure("no room", "backup").failure == "no disk. After that `backup` failed: no room"
