"""Retention of recovery points that share snapshots: each leaves by itself, and the last one takes the bytes along."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.rules.points.holds import Hold
from include.rules.points.manifest import Expiry, Manifest, Reader
from include.rules.points.parts import SnapshotRole
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState, SnapshotUser
from include.rules.points.transitions import State
from include.rules.retention.expiry import held
from include.rules.retention.reports import Deed
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.support.retention_runs import carry_out, preview, retain_one
from tests.support.shared import (
    add_shared,
    add_sharing,
    assert_gone,
    current,
    find,
    is_there,
    join,
    two_of_today,
    use,
    users,
)

pytestmark = pytest.mark.lab

HOLD = Hold(reason="case 4711", author="ada", placed_at=NOW)
MARKED = Expiry(marked_at=NOW - 2 * DAY, previous_state=State.VERIFIED)


@pytest.fixture
def fleet(fleet: Stock) -> Stock:
    return two_of_today(fleet)


def expire(stock: Stock, *points: Manifest) -> None:
    """Mark points for longer than their grace period."""
    for point in points:
        stock.change(point, state=State.EXPIRING, expiry=MARKED)


def test_one_leaves_and_the_other_keeps_the_bytes_the_last_one_takes_them_along(fleet: Stock) -> None:
    (acme, globex), shared = add_sharing(fleet, OLD)
    expire(fleet, acme)
    fleet.change(globex, hold=HOLD)
    report = fleet.retain()
    assert report.not_done() == []
    assert report.tenants["acme"].done == {Deed.DELETED: [acme.id]}
    assert (fleet.state(acme), fleet.state(globex)) == ("gone", "verified")
    for one in shared:
        assert (users(fleet, one), current(fleet, one).state, is_there(fleet, one)) == (
            [globex.id],
            ShareState.STARTED,
            True,
        )

    fleet.change(globex, hold=None)
    expire(fleet, globex)
    report = fleet.retain(NOW + DAY)
    assert report.not_done() == []
    assert sorted(report.to_json()["shared_snapshots_deleted"]) == sorted(
        f"{one.snapshot_id} of {one.id} of volume {one.volume}" for one in shared
    )
    assert fleet.state(globex) == "gone"
    assert_gone(fleet, *shared)


def test_anothers_hold_or_reader_or_lock_stops_no_point_and_one_own_does(fleet: Stock) -> None:
    (acme, globex), shared = add_sharing(fleet, OLD)
    expire(fleet, acme)
    fleet.run(fleet.vault.change_point("globex", globex.id, lambda m: held(m, HOLD)))
    reader = Reader(restore="one", until=NOW + 2 * DAY)
    fleet.run(fleet.vault.change_point("globex", globex.id, lambda m: m.with_reader(reader, NOW)))
    until = datetime.now(UTC).replace(microsecond=0) + 3 * DAY
    for one in shared:
        lock = lambda document: document.locked("globex", globex.id, until)  # noqa: E731 - a change by compare and swap
        fleet.run(fleet.vault.change_shared_snapshot(one.volume, one.id, lock))
        fleet.ec2.lock_snapshot(SnapshotId=one.snapshot_id, LockMode="governance", LockDuration=3)
    assert fleet.retain().not_done() == []
    assert fleet.state(acme) == "gone"
    assert [users(fleet, one) for one in shared] == [[globex.id]] * 2

    fleet.change(globex, hold=None, readers=())
    expire(fleet, globex)
    report = fleet.retain(NOW + DAY)
    assert report.needing_operator() == []
    messages = [trouble.message for trouble in report.tenants["globex"].troubles]
    assert len(messages) == 2
    assert all(f"Its lock ends on {until:%Y-%m-%d %H:%MZ}" in message for message in messages)
    assert fleet.manifest(globex) == globex.model_copy(update={"state": State.EXPIRING, "expiry": MARKED})
    assert all(is_there(fleet, one) for one in shared)


def test_what_a_lock_keeps_after_its_last_user_waits_and_goes_when_the_lock_has_ended(fleet: Stock) -> None:
    points, shared = add_sharing(fleet, OLD)
    expire(fleet, *points)
    fleet.ec2.lock_snapshot(SnapshotId=shared[0].snapshot_id, LockMode="governance", LockDuration=3)
    report = fleet.retain()
    assert report.not_done() == []
    (waiting,) = report.shared.waiting
    assert waiting.startswith(f"LOCKED: snapshot {shared[0].snapshot_id} of shared snapshot {shared[0].id} of volume")
    assert "Its lock ends on" in waiting
    assert f"WAITING: {waiting}" in report.shared.text()
    assert [fleet.state(point) for point in points] == ["gone", "gone"]
    assert current(fleet, shared[0]).state is ShareState.DELETING
    assert_gone(fleet, shared[1])

    fleet.ec2.unlock_snapshot(SnapshotId=shared[0].snapshot_id)
    assert fleet.retain(NOW + DAY).shared.waiting == []
    assert_gone(fleet, *shared)


def test_what_aws_refuses_for_good_calls_a_person_every_day_until_it_is_gone(fleet: Stock) -> None:
    points, shared = add_sharing(fleet, OLD)
    expire(fleet, *points)
    fleet.cloud.add_fault(
        "ec2:DeleteSnapshot", match=shared[0].snapshot_id, code="InvalidSnapshot.InUse", status=400, times=2
    )
    for hours in range(2):
        (message,) = fleet.retain(NOW + timedelta(hours=hours)).needing_operator()
        assert f"snapshot {shared[0].snapshot_id} of shared snapshot {shared[0].id}" in message
        assert "No recovery point uses it any more" in message
        assert "deregister the image" in message
    assert [fleet.state(point) for point in points] == ["gone", "gone"]
    assert fleet.retain(NOW + DAY).not_done() == []
    assert_gone(fleet, *shared)


def test_a_run_for_one_tenant_leaves_what_it_was_the_last_to_use_to_the_next_run_of_the_fleet(fleet: Stock) -> None:
    (acme,), shared = add_sharing(fleet, OLD, ["acme"])
    expire(fleet, acme)
    assert preview(fleet)["approval"] is False
    report = carry_out(fleet)
    assert report["shared_snapshots_deleted"] == []
    assert fleet.state(acme) == "gone"
    for one in shared:
        assert (users(fleet, one), current(fleet, one).state, is_there(fleet, one)) == ([], ShareState.DELETING, True)
    assert len(fleet.retain(NOW + timedelta(minutes=1)).shared.deleted) == 2
    assert_gone(fleet, *shared)


def test_the_report_of_a_run_for_one_tenant_says_when_the_bytes_go(fleet: Stock) -> None:
    (acme,), shared = add_sharing(fleet, OLD, ["acme"])
    expire(fleet, acme)
    notes = retain_one(fleet, "acme").shared.notes
    assert len(notes) == 2
    for one, note in zip(sorted(shared, key=lambda document: document.volume), notes, strict=True):
        assert note.startswith(f"Nobody is on the list of shared snapshot {one.name} any more: the next `retention`")


def test_points_of_before_and_shared_ones_stand_beside_each_other(fleet: Stock) -> None:
    """One volume's snapshot is the point's own, the other one shared, as where an old release has begun the attempt."""
    before = fleet.everything()
    mixed, shared = fleet.add(OLD, roles=(SnapshotRole.WEB,)), add_shared(fleet, OLD)
    both = use(fleet, mixed, {SnapshotRole.DATABASE: shared})
    old = fleet.add_expiring(OLD - DAY, NOW - 2 * DAY)
    expire(fleet, both)
    assert fleet.retain().not_done() == []
    assert (fleet.state(both), fleet.state(old)) == ("gone", "gone")
    assert_gone(fleet, shared)
    assert fleet.everything() == before


def test_a_list_that_a_replaced_attempt_has_left_behind_is_left(fleet: Stock) -> None:
    """Also that of a run that has died between joining and recording it; of an attempt at work it is not."""
    kept, failed = fleet.add(NOW - timedelta(hours=2), kind="manual"), fleet.add(OLD, state=State.FAILED, closed_at=NOW)
    running = fleet.add(NOW - timedelta(hours=3), kind="manual", state=State.RUNNING, closed_at=None)
    replaced, wanted, at_work = (add_shared(fleet, OLD, number=number) for number in (1, 2, 3))
    silent = add_shared(fleet, OLD, number=4, state=ShareState.CLAIMED, snapshot_id=None, started_at=None)
    for document, point in ((replaced, kept), (wanted, failed), (at_work, running)):
        join(fleet, document, point)
    user = SnapshotUser(tenant="acme", point=failed.id, token=0)
    fleet.run(
        fleet.vault.change_shared_snapshot(silent.volume, silent.id, lambda d: d.model_copy(update={"users": (user,)}))
    )
    report = fleet.retain()
    assert report.not_done() == []
    assert sorted(report.tenants["acme"].swept) == sorted(
        f"the place of {point.id} in shared snapshot {one.id} of volume {one.volume}"
        for point, one in ((kept, replaced), (failed, silent))
    )
    assert_gone(fleet, replaced)
    assert current(fleet, silent).state is ShareState.DELETING  # a snapshot may still turn up: an hour is not over
    assert [users(fleet, one) for one in (wanted, at_work)] == [[failed.id], [running.id]]


def test_a_document_of_today_stays_until_its_name_cannot_come_again(fleet: Stock) -> None:
    shared = add_shared(fleet, datetime.now(UTC), started_at=OLD)
    point = use(fleet, fleet.add(OLD, roles=()), {SnapshotRole.WEB: shared})
    expire(fleet, point)
    fleet.retain()
    assert fleet.state(point) == "gone"
    assert not is_there(fleet, shared)
    found = find(fleet, shared)
    assert isinstance(found, SharedSnapshot)
    assert (found.state, found.users) == (ShareState.DELETING, ())
