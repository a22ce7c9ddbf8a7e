"""Shared snapshots that nobody uses any more, many of them: deleted side by side, and whole again after every cut."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from include.rules.points.manifest import Expiry, Manifest
from include.rules.points.parts import PartName, SnapshotRole
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState
from include.rules.points.transitions import State
from include.rules.retention import shared as rules
from lab.testing.deadlines import within
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.register import read_register
from perennial.hooks.vault.backup_files import point_prefix
from perennial.retention.buried import leave_lists_of_buried
from perennial.retention.fleet import Retention
from tests.support import sweeps
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.support.shared import add_shared, assert_gone, is_there, join, snapshot_of, two_of_today, use, users
from tests.support.triggers import CutOff

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

BEGUN = Expiry(marked_at=NOW - 3 * DAY, previous_state=State.VERIFIED, deletion_began_at=NOW - DAY)


@pytest.fixture
def fleet(fleet: Stock) -> Stock:
    return two_of_today(fleet)


def add_unused(stock: Stock, time: datetime, **changes: Any) -> SharedSnapshot:
    """A shared snapshot that its last user has left."""
    return add_shared(stock, time, state=ShareState.DELETING, **changes)


def bury(stock: Stock, time: datetime, *shared: SharedSnapshot) -> Manifest:
    """A point that was deleted, and that somebody has brought back to these lists."""
    point = stock.add(time, roles=())
    for document in shared:
        join(stock, document, point)
    stock.run(stock.vault.tombstones.create(point.model_copy(update={"state": State.EXPIRED, "expiry": BEGUN})))
    place = stock.vault.documents
    for key in stock.keys(point_prefix(point.tenant, point.id)):
        stock.s3.delete_object(Bucket=place.bucket, Key=place.prefix + key)
    return point


def test_snapshots_that_nobody_uses_are_deleted_side_by_side(fleet: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each deletion waits here for three others: one after the other, none of them would ever begin."""
    unused = [add_unused(fleet, OLD - number * DAY) for number in range(4)]
    meeting, delete = asyncio.Barrier(4), Ebs.delete_snapshot

    async def together(ebs: Ebs, snapshot_id: str) -> None:
        async with asyncio.timeout(within(20)):
            await meeting.wait()
        await delete(ebs, snapshot_id)

    monkeypatch.setattr(Ebs, "delete_snapshot", together)
    report = fleet.retain()
    assert report.not_done() == []
    assert report.shared.deleted == [f"{one.snapshot_id} of {one.name}" for one in sorted(unused, key=lambda d: d.name)]
    assert_gone(fleet, *unused)


def test_what_stops_one_stops_no_other_and_the_report_has_them_in_their_order(fleet: Stock) -> None:
    """The first one is refused by AWS, and late; the second meets an error that nobody has foreseen."""
    unused = sorted((add_unused(fleet, OLD - number * DAY) for number in range(4)), key=lambda document: document.name)
    refused, unforeseen, *others = unused
    fleet.cloud.add_fault(
        "ec2:DeleteSnapshot", match=refused.snapshot_id, code="InvalidSnapshot.InUse", status=400, delay=0.5
    )
    delete = Ebs.delete_snapshot

    async def failing(ebs: Ebs, snapshot_id: str) -> None:
        if snapshot_id == unforeseen.snapshot_id:
            raise ZeroDivisionError("of a kind that nobody has foreseen")
        await delete(ebs, snapshot_id)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Ebs, "delete_snapshot", failing)
        report = fleet.retain()
    first, second = report.needing_operator()
    assert f"snapshot {refused.snapshot_id}" in first
    assert "ZeroDivisionError: of a kind that nobody has foreseen" in second
    assert report.shared.deleted == [f"{one.snapshot_id} of {one.name}" for one in others]
    assert_gone(fleet, *others)
    assert is_there(fleet, refused)
    assert fleet.retain().not_done() == []
    assert_gone(fleet, *unused)


async def run_cut_off(stock: Stock, suspension: int) -> bool:
    """A run of the fleet that dies at one of its suspensions after it has acted on the tenants; whether it came there.

    Tasks that it has begun die with it, each where it is.
    """
    retention = Retention(stock.vault, await read_register(stock.vault.settings), "test/retention/run-1", NOW)
    cut = CutOff(retention.run_for_fleet(), suspension)
    cut.counting = False

    async def counted(*arguments: Any) -> None:
        cut.counting = True
        await leave_lists_of_buried(*arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("perennial.retention.fleet.leave_lists_of_buried", counted)
        await cut.with_its_tasks()
    return cut.reached


@sweeps.every(12, closest=2)
def test_cut_off_anywhere_the_next_run_deletes_exactly_what_nobody_uses(
    fleet: Stock, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    """A point that was deleted is on the list of one snapshot alone and of another one that globex uses, too; one
    snapshot was left by all, one has gone without its document, and the used one has an extra.
    """
    monkeypatch.setattr(rules, "LAG", timedelta(0))
    fleet.register("acme", "globex", **fleet.policy, manual=300)
    used = list[tuple[SharedSnapshot, Manifest]]()
    for number in range(1, 300):
        time = OLD - number * DAY
        both, alone, left, gone = (add_shared(fleet, time, number=n) for n in range(1, 5))
        globex = use(fleet, fleet.add(time, tenant="globex", roles=(), kind="manual"), {SnapshotRole.WEB: both})
        fleet.change(globex, left_out={PartName.DB_SNAPSHOT: "a small point"})
        bury(fleet, time, both, alone)
        for document in (left, gone):
            deleting = document.model_copy(update={"state": ShareState.DELETING})
            fleet.run(fleet.vault.shared_snapshots.put(deleting))
        fleet.ec2.delete_snapshot(SnapshotId=gone.snapshot_id)
        extra = snapshot_of(fleet, both.volume, both.tag)
        used.append((both, globex))
        reached = fleet.run(run_cut_off(fleet, number * every))
        assert fleet.retain().not_done() == []
        assert_gone(fleet, alone, left, gone)
        assert extra not in fleet.snapshots()
        for document, point in used:
            assert (users(fleet, document), is_there(fleet, document)) == ([point.id], True)
            assert fleet.state(point) == "verified"
        if not reached:
            break
    else:
        pytest.fail("retention never came to its end")
    assert len(used) > 3
