"""Lists of shared snapshots with points that were deleted, as where somebody has brought back an earlier version."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from include.rules.points.leases import Purpose
from include.rules.points.manifest import Expiry, Manifest
from include.rules.points.shared_snapshots import SharedSnapshot
from include.rules.points.transitions import State
from include.rules.retention import shared as rules
from include.rules.retention.reports import TenantReport
from perennial.hooks.vault import tenant_lease
from perennial.hooks.vault.backup_files import point_prefix
from perennial.retention.buried import leave_lists_of_buried
from perennial.retention.shared_looks import SharedLooks
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.support.retention_runs import retain_one
from tests.support.shared import add_sharing, assert_gone, is_there, two_of_today, users

pytestmark = pytest.mark.lab

BEGUN = Expiry(marked_at=NOW - 3 * DAY, previous_state=State.VERIFIED, deletion_began_at=NOW - DAY)


@pytest.fixture
def fleet(fleet: Stock) -> Stock:
    return two_of_today(fleet)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that was just written counts as one that nobody has written for an hour."""
    monkeypatch.setattr(rules, "LAG", timedelta(0))


def bury(stock: Stock, point: Manifest) -> Manifest:
    """The point was deleted: its tombstone is left, and its places on lists, which somebody has brought back."""
    expired = point.model_copy(update={"state": State.EXPIRED, "expiry": BEGUN})
    stock.run(stock.vault.tombstones.create(expired))
    place = stock.vault.documents
    for key in stock.keys(point_prefix(point.tenant, point.id)):
        stock.s3.delete_object(Bucket=place.bucket, Key=place.prefix + key)
    return expired


def unlist(stock: Stock, point: Manifest, shared: list[SharedSnapshot], at_work: Any = None) -> TenantReport:
    """What a run of the fleet does that has found the deleted point on these lists."""
    looks, reports = SharedLooks(stock.vault), {point.tenant: TenantReport(point.tenant)}
    looks.found_buried(point.tenant, {point.id: [document.name for document in shared]})

    async def run() -> None:
        if at_work:
            await tenant_lease.acquire(stock.vault, point.tenant, at_work, Purpose.BACKUP)
        await leave_lists_of_buried(looks, "test/retention/run-1", reports)

    stock.run(run())
    return reports[point.tenant]


@pytest.mark.usefixtures("at_once")
def test_a_deleted_point_leaves_the_lists_and_the_snapshot_goes_with_the_last(fleet: Stock) -> None:
    (acme, globex), shared = add_sharing(fleet, OLD)
    bury(fleet, acme)
    report = fleet.retain()
    assert report.not_done() == []
    assert sorted(report.tenants["acme"].swept) == sorted(
        f"the place of {acme.id} in shared snapshot {one.name}" for one in shared
    )
    assert [users(fleet, one) for one in shared] == [[globex.id]] * 2
    assert all(is_there(fleet, one) for one in shared)
    bury(fleet, globex)
    assert fleet.retain(NOW + timedelta(minutes=1)).not_done() == []
    assert_gone(fleet, *shared)


@pytest.mark.usefixtures("at_once")
def test_so_does_that_of_a_tenant_of_which_there_is_nothing_else(fleet: Stock) -> None:
    fleet.register("acme", "globex", "initech")
    (point,), shared = add_sharing(fleet, OLD, ["initech"])
    fleet.register("acme", "globex")
    bury(fleet, point)
    assert fleet.retain().not_done() == []
    assert_gone(fleet, *shared)


def test_a_list_of_the_last_hour_is_reported_and_stays_because_the_manifest_may_come_back_too(fleet: Stock) -> None:
    (acme,), shared = add_sharing(fleet, OLD, ["acme"])
    bury(fleet, acme)
    report = fleet.retain()
    assert report.not_done() == []
    (note,) = report.tenants["acme"].notes
    assert note.startswith(f"Recovery point {acme.id} was deleted, and is on the lists of shared snapshots (")
    assert [users(fleet, one) for one in shared] == [[acme.id]] * 2
    assert all(is_there(fleet, one) for one in shared)


@pytest.mark.usefixtures("at_once")
def test_a_run_for_one_tenant_reports_it_and_leaves_it_to_the_fleet(fleet: Stock) -> None:
    (acme,), shared = add_sharing(fleet, OLD, ["acme"])
    report = retain_one(fleet, "acme").tenants["acme"]
    assert report.notes == []
    bury(fleet, acme)
    fleet.add(OLD - DAY, roles=(), parts=acme.parts, kind="manual")  # by it the run for the tenant sees the volumes
    report = retain_one(fleet, "acme").tenants["acme"]
    assert any(f"Recovery point {acme.id} was deleted, and is on the lists" in note for note in report.notes)
    assert all(acme.id in users(fleet, one) for one in shared)


@pytest.mark.usefixtures("at_once")
def test_a_point_whose_manifest_is_there_again_keeps_its_places(fleet: Stock) -> None:
    """Brought back after the run had looked for it."""
    (acme,), shared = add_sharing(fleet, OLD, ["acme"])
    bury(fleet, acme)
    fleet.run(fleet.vault.points.create(acme))
    assert unlist(fleet, acme, shared).swept == []
    assert [users(fleet, one) for one in shared] == [[acme.id]] * 2


@pytest.mark.usefixtures("at_once")
def test_while_somebody_is_at_work_on_the_tenant_the_point_stays_on_the_lists(fleet: Stock) -> None:
    (acme,), shared = add_sharing(fleet, OLD, ["acme"])
    bury(fleet, acme)
    report = unlist(fleet, acme, shared, at_work="test/manual_backup/one")
    (trouble,) = report.troubles
    assert "test/manual_backup/one" in trouble.message
    assert not trouble.needs_operator
    assert [users(fleet, one) for one in shared] == [[acme.id]] * 2


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("state", ["unreadable", "another point's", "no tombstone"])
def test_a_tombstone_that_does_not_say_that_the_point_was_deleted_takes_it_off_no_list(
    fleet: Stock, state: str
) -> None:
    (acme,), shared = add_sharing(fleet, OLD, ["acme"])
    tombstone = bury(fleet, acme)
    place, key = fleet.vault.documents, fleet.vault.tombstones.key("acme", acme.id)
    bodies = {
        "unreadable": '{"version": 9}',
        "another point's": tombstone.model_copy(update={"id": "acme-daily-20200101"}).model_dump_json(by_alias=True),
        "no tombstone": tombstone.model_copy(update={"state": State.EXPIRING}).model_dump_json(by_alias=True),
    }
    fleet.s3.put_object(Bucket=place.bucket, Key=place.prefix + key, Body=bodies[state].encode())
    (message,) = fleet.retain().needing_operator()
    assert f"expired/acme/{acme.id}.json" in message or f"Recovery point {acme.id} of tenant acme uses" in message
    assert [users(fleet, one) for one in shared] == [[acme.id]] * 2
    assert all(is_there(fleet, one) for one in shared)
