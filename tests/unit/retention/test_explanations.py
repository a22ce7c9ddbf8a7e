"""A plan in words: what becomes of every point, and why."""

from __future__ import annotations

import pytest

from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.explanations import explain
from include.rules.retention.plan import Circumstances, plan_retention
from include.rules.retention.timeline import TimelinePoint
from tests.unit.retention.timelines import DAY, NOW, POLICY, days, expiring, hold, offboarding, point

TODAY = point("2026-06-30T02")


def line(
    it: TimelinePoint, *others: TimelinePoint, policy: RetentionPolicy = POLICY, around: Circumstances | None = None
) -> str:
    """What is reasons_of of one point, without its name."""
    plan = plan_retention("acme", [it, *others, TODAY], policy, NOW, around or Circumstances())
    return next(text for text in explain(plan) if text.startswith(f"{it.id}: ")).removeprefix(f"{it.id}: ")


def test_a_kept_point_says_until_when_and_which_reasons_end_sooner() -> None:
    assert line(point("2026-05-31")) == "kept until 2027-05-31: weekly 2026-W22 (until 2026-08-23), monthly 2026-05"
    assert line(point("2025-12-31")) == "kept for ever: monthly 2025-12 (until 2026-12-31), yearly 2025"
    assert line(point("2026-06-29T02")) == "kept until 2026-07-28: daily 2026-06-29"


def test_what_a_newer_point_may_end_is_said_to_be_for_now() -> None:
    newest = plan_retention("acme", days("2026-06-30T02", 1), POLICY, NOW)
    (only,) = explain(newest)
    assert only.startswith("acme-daily-20260630: kept for now: daily 2026-06-30, weekly 2026-W27, ")
    held = line(point(NOW - DAY, Kind.MANUAL, State.PENDING, hold=hold("2026-08-01")))
    assert held == "kept until 2026-08-01: awaiting verification (for now), on hold: case 4711 (ada)"


@pytest.mark.parametrize(
    ("it", "why"),
    [
        (
            point("2026-05-30"),
            (
                "daily 2026-05-30 has left its window, weekly 2026-W22 is acme-daily-20260531, "
                "monthly 2026-05 is acme-daily-20260531, yearly 2026 is acme-daily-20260630"
            ),
        ),
        (point("2026-05-31T22", Kind.HOURLY), "older than 48 hours"),
        (point(NOW - 14 * DAY, Kind.SAFETY), "older than 14 days"),
        (point(NOW - 9 * DAY, state=State.FAILED), "it failed, and the time for diagnosis is over"),
    ],
)
def test_a_point_that_expires_says_who_stands_in_its_place(it: TimelinePoint, why: str) -> None:
    assert line(it, point("2026-05-31")) == f"expires, to be deleted from 2026-07-01 06:00Z on: {why}"


def test_a_manual_point_that_expires_says_who_has_the_places() -> None:
    newer = [point(NOW - age * DAY, Kind.MANUAL) for age in range(1, 11)]
    assert line(point("2026-01-01", Kind.MANUAL), point("2026-01-31"), *newer).endswith(
        "10 manual ones that are better or newer have the places"
    )


def test_marked_points_say_from_when_on_they_are_deleted() -> None:
    month = point("2026-05-31")
    assert line(expiring("2026-05-29", NOW - DAY / 2), month) == "expiring, to be deleted from 2026-06-30 18:00Z on"
    assert line(expiring("2026-05-29", NOW - DAY), month) == "deleted: its grace period is over"
    assert line(expiring("2026-05-31", NOW - DAY)).startswith("taken back, kept until 2027-05-31: weekly 2026-W22")
    begun = expiring("2026-05-29", NOW - 2 * DAY, deletion_began_at=NOW - DAY)
    assert line(begun, month) == "deleted: what is left since the deletion began on 2026-06-29 06:00Z"
    spared = expiring("2026-05-29", NOW - 2 * DAY, deletion_began_at=NOW - DAY, hold=hold())
    assert line(spared, month) == "spared, although parts of it were deleted: on hold: case 4711 (ada)"


def test_an_abandoned_point_says_since_when() -> None:
    assert line(point(NOW - DAY, Kind.MANUAL, State.RUNNING)) == (
        "becomes failed: begun 2026-06-29 06:00Z, and no run is at work on it"
    )


def test_the_points_of_a_tenant_that_has_left_say_so() -> None:
    around = Circumstances(offboarding=offboarding("2026-06-29"))
    assert line(point("2026-05-31"), around=around).endswith(
        "the tenant has left, and its last point was to be kept until 2026-06-29"
    )


def test_every_point_has_one_line_and_the_newest_comes_first() -> None:
    reasons_of = explain(plan_retention("acme", days("2026-06-30T02", 400), POLICY, NOW))
    assert len(reasons_of) == 400
    assert reasons_of[0].startswith("acme-daily-20260630: ")
    assert reasons_of[-1].startswith("acme-daily-20250527: ")
