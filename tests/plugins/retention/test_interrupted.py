"""Retention cut off, raced and overtaken: whatever happens in its midst, the next run ends what it began."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest

from include.rules.errors import PerennialError
from include.rules.points.holds import Hold
from include.rules.points.leases import Lease
from include.rules.points.manifest import Manifest, Reader
from include.rules.restore.choice import choose_point
from include.rules.retention.expiry import held, taken_back
from include.rules.retention.reports import Deed, FleetReport
from lab.testing.deadlines import pace
from perennial.hooks.register import read_register
from perennial.retention.fleet import Retention
from perennial.retention.inventory import TenantInventory, take_inventory
from tests.support import sweeps
from tests.support.backup_files import backup_file_keys
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.support.triggers import CutOff

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

HOLD = Hold(reason="case 4711", author="ada", placed_at=NOW)
SECONDS = pace()


@pytest.fixture
def fleet(fleet: Stock) -> Stock:
    """A tenant on a policy of three days, with one point of today."""
    fleet.add_daily(NOW, 1)
    return fleet


async def run(fleet: Stock, run_id: str = "run-1", now: datetime = NOW) -> FleetReport:
    """A run over the fleet."""
    register = await read_register(fleet.vault.settings)
    return await Retention(fleet.vault, register, f"test/retention/{run_id}", now).run_for_fleet()


async def run_for_acme(fleet: Stock) -> dict[str, Any]:
    """A run for the one tenant: it does the same in this very coroutine, where it can be cut off."""
    register = await read_register(fleet.vault.settings)
    retention = Retention(fleet.vault, register, "test/retention/run-1", NOW)
    shown, _ = await retention.preview("acme")
    return (await retention.run_for_tenant(shown)).to_json()


# Every second suspension is enough: a deletion has more (the lease, the call, its answer), so that each is hit.
@sweeps.every(10, closest=2)
def test_cut_off_anywhere_the_next_run_finishes_and_a_half_deleted_point_is_worth_nothing(
    fleet: Stock, every: int
) -> None:
    before, halves = fleet.everything(), 0
    for number in range(1, 100):
        old = fleet.add_expiring(OLD - number * DAY, NOW - 2 * DAY)
        whole = [len(parts) for parts in fleet.remaining_parts(old)]
        reached = fleet.run(CutOff.run(run_for_acme(fleet), number * every))
        if fleet.manifest(old) and [len(parts) for parts in fleet.remaining_parts(old)] != whole:
            halves += 1
            assert_worth_nothing(fleet, old)
        fleet.retain()
        assert fleet.state(old) == "gone"
        assert fleet.everything() == before
        if not reached:
            break
    else:
        pytest.fail("retention never came to its end")
    assert halves >= 16 // every


def assert_worth_nothing(fleet: Stock, point: Manifest) -> None:
    """The point cannot be restored, does not count as the last verified one, and never comes back."""
    known = fleet.run(fleet.vault.manifests("acme"))
    assert choose_point(known, "acme", None).id != point.id
    with pytest.raises(PerennialError, match=r"is expir(ing|ed), not verified"):
        choose_point(known, "acme", point.id)
    with pytest.raises(PerennialError):
        fleet.run(fleet.vault.change_point("acme", point.id, taken_back))


async def while_it_looks(fleet: Stock, meanwhile: Callable[[], Awaitable[Any]]) -> FleetReport:
    """Do something after retention has read the manifests under its lease and before it changes any."""

    async def looking(*args: Any, **options: Any) -> TenantInventory:
        inventory = await take_inventory(*args, **options)
        await meanwhile()
        return inventory

    with patch("perennial.retention.tenant.take_inventory", looking):
        return await run(fleet)


@pytest.mark.parametrize("began", [False, True])
def test_a_hold_that_is_placed_in_its_midst_wins(fleet: Stock, began: bool) -> None:
    """Before the mark, and before the deletion begins."""
    old = fleet.add_expiring(OLD, NOW - 2 * DAY) if began else fleet.add(OLD)
    place = partial(fleet.vault.change_point, "acme", old.id, lambda m: held(m, HOLD))
    report = fleet.run(while_it_looks(fleet, place))
    assert fleet.state(old) == "verified"
    assert [len(parts) for parts in fleet.remaining_parts(old)] == [2, 2]
    (trouble,) = report.tenants["acme"].troubles
    assert "is under a hold for ever (case 4711, placed by ada)" in trouble.message or "not expiring" in trouble.message
    assert fleet.retain(NOW + DAY).tenants["acme"].troubles == []


def test_a_restore_that_begins_to_read_in_its_midst_wins(fleet: Stock) -> None:
    old = fleet.add(OLD)
    reader = Reader(restore="acme-restore", until=NOW + timedelta(hours=12))
    read = partial(fleet.vault.change_point, "acme", old.id, lambda m: m.with_reader(reader, NOW))
    report = fleet.run(while_it_looks(fleet, read))
    assert fleet.state(old) == "verified"
    assert "is read by a restore until 2026-07-01 00:00Z at the latest" in report.tenants["acme"].troubles[0].message


def test_a_point_that_a_restore_reads_is_neither_marked_nor_deleted(fleet: Stock) -> None:
    read = fleet.add(OLD, readers=(Reader(restore="one", until=NOW + timedelta(hours=12)),))
    over = fleet.add(OLD - DAY, readers=(Reader(restore="one", until=NOW - timedelta(hours=12)),))
    assert "a restore is reading it" in fleet.retain().tenants["acme"].text()
    assert (fleet.state(read), fleet.state(over)) == ("verified", "expiring")


def test_two_runs_at_once_do_the_work_of_one(fleet: Stock) -> None:
    before = fleet.everything()
    old = [fleet.add_expiring(OLD - n * DAY, NOW - 2 * DAY) for n in range(3)]

    async def both() -> list[FleetReport]:
        return await asyncio.gather(*(run(fleet, f"run-{n}") for n in range(2)))

    reports = fleet.run(both())
    deleted = [point for report in reports for point in report.tenants["acme"].done.get(Deed.DELETED, [])]
    assert sorted(deleted) == sorted(point.id for point in old)
    assert [report.needing_operator() for report in reports] == [[], []]
    assert {fleet.state(point) for point in old} == {"gone"}
    assert fleet.everything() == before


def test_a_busy_tenant_is_left_for_the_next_day_and_nobody_is_called(fleet: Stock) -> None:
    old = fleet.add(OLD)
    far = datetime.now(UTC) + timedelta(hours=1)
    busy = Lease(tenant="acme", owner="test/restore/one", purpose="restore", token=7, expires_at=far)
    fleet.run(fleet.vault.change_lease("acme", lambda _: busy))
    report = fleet.retain()
    assert (fleet.state(old), report.needing_operator()) == ("verified", [])
    assert "Tenant acme is busy: a restore holds its lease" in report.tenants["acme"].troubles[0].message


def test_an_overtaken_run_deletes_nothing_more(fleet: Stock) -> None:
    """Its lease has gone to somebody else while it was looking: it stops before its next effect."""
    old = fleet.add_expiring(OLD, NOW - 2 * DAY)

    async def overtake() -> None:
        def by_force(lease: Lease | None) -> Lease:
            assert lease
            return lease.model_copy(update={"owner": "test/restore/one", "token": lease.token + 1})

        await fleet.vault.change_lease("acme", by_force)

    report = fleet.run(while_it_looks(fleet, overtake))
    assert [len(parts) for parts in fleet.remaining_parts(old)] == [2, 2]
    assert "no longer holds the lease of tenant acme" in report.tenants["acme"].troubles[0].message


def test_a_hold_that_is_placed_between_two_parts_spares_the_rest(fleet: Stock) -> None:
    old = fleet.add_expiring(OLD, NOW - 2 * DAY)
    assert old.parts.db_snapshot
    assert old.parts.web_snapshot
    fleet.cloud.add_fault("ec2:DeleteSnapshot", match=old.parts.db_snapshot.snapshot_id, delay=SECONDS)

    async def placed_meanwhile() -> FleetReport:
        running = asyncio.create_task(run(fleet))
        # The files go first, then this snapshot.
        while await backup_file_keys(fleet.vault, "acme", old.id):  # noqa: ASYNC110 - the vault tells nobody
            await asyncio.sleep(0.01)
        await fleet.vault.change_point("acme", old.id, lambda m: held(m, HOLD))
        return await running

    report = fleet.run(placed_meanwhile())
    (trouble,) = report.tenants["acme"].troubles
    assert "is under a hold for ever (case 4711, placed by ada)" in trouble.message
    assert "What its deletion had left of it was left as it is." in trouble.message
    assert not trouble.needs_operator
    assert old.parts.web_snapshot.snapshot_id in fleet.remaining_parts(old)[0]
    assert "spared, although parts of it were deleted" in fleet.retain(NOW + DAY).tenants["acme"].text()
    assert fleet.state(old) == "expiring"
