"""Between its two looks at a tenant anything may happen: what has changed is read again, and nothing else is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest

from include.rules.points.holds import Hold
from include.rules.points.manifest import Manifest, Reader
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.expiry import held
from include.rules.retention.reports import FleetReport
from perennial.hooks.register import read_register
from perennial.hooks.vault import tenant_lease
from perennial.hooks.vault.backup_files import point_prefix
from perennial.hooks.vault.vault import Vault
from perennial.retention.fleet import Retention
from perennial.retention.inventory import take_inventory
from perennial.retention.shared_looks import SharedLooks
from tests.support.retention import DAY, NOW, OLD, Stock

pytestmark = pytest.mark.lab

Meanwhile = Callable[[Stock, Manifest], Awaitable[Any]]

MANY = 99
LATER = OLD + DAY
"""Of the month of `OLD` the later point stands for it."""


@pytest.fixture
def fleet(stock: Stock) -> Stock:
    """A tenant on a policy of three days and twelve months, with one point of today."""
    stock.register("acme", daily=3, weekly=0, monthly=12, yearly=0)
    stock.add_daily(NOW, 1)
    stock.storage.faults.clear()
    return stock


async def run_and_between_its_looks(fleet: Stock, meanwhile: Callable[[], Awaitable[Any]]) -> FleetReport:
    """A run over the fleet; something is done after it has looked at the tenant, and before it takes the lease."""
    acquire = tenant_lease.acquire

    async def after_it(*args: Any, **options: Any) -> tenant_lease.TenantLease:
        await meanwhile()
        return await acquire(*args, **options)

    register = await read_register(fleet.vault.settings)
    with patch("perennial.hooks.vault.tenant_lease.acquire", after_it):
        return await Retention(fleet.vault, register, "test/retention/run-1", NOW).run_for_fleet()


def changing(**changes: Any) -> Meanwhile:
    async def change(fleet: Stock, point: Manifest) -> None:
        await fleet.vault.change_point(point.tenant, point.id, lambda manifest: manifest.model_copy(update=changes))

    return change


def deleting(name: str) -> Meanwhile:
    async def delete(fleet: Stock, point: Manifest) -> None:
        place = fleet.vault.documents
        fleet.s3.delete_object(Bucket=place.bucket, Key=place.prefix + point_prefix(point.tenant, point.id) + name)

    return delete


async def hold(fleet: Stock, point: Manifest) -> None:
    placed = Hold(reason="case 4711", author="ada", placed_at=NOW)
    await fleet.vault.change_point(point.tenant, point.id, lambda manifest: held(manifest, placed))


async def read(fleet: Stock, point: Manifest) -> None:
    reader = Reader(restore="globex-restore", until=NOW + timedelta(hours=12))
    await fleet.vault.change_point(point.tenant, point.id, lambda manifest: manifest.with_reader(reader, NOW))


FAILED = changing(state=State.FAILED, verification=None)


def test_under_the_lease_only_manifests_that_are_acted_on_are_read_again(fleet: Stock) -> None:
    kept = fleet.add_daily(NOW - DAY, 2)
    marked, deleted = fleet.add(OLD), fleet.add_expiring(OLD - DAY, NOW - 2 * DAY)
    fleet.add(LATER)
    for point in (*kept, marked):
        fleet.storage.faults.add("s3:GetObject", match=f"{point.id}/manifest.json", delay=0.001, times=MANY)
    fleet.retain()
    reads = {rule["match"].split("/")[0]: MANY - rule["times"] for rule in fleet.storage.faults.rules()}
    assert reads == {kept[0].id: 1, kept[1].id: 1, marked.id: 2}
    assert (fleet.state(marked), fleet.state(deleted)) == ("expiring", "gone")


@pytest.mark.parametrize(
    "meanwhile",
    [
        pytest.param(FAILED, id="failed"),
        pytest.param(changing(time=datetime(2025, 4, 15, 2, tzinfo=UTC)), id="rewritten with the same length"),
        pytest.param(deleting("full-01.bak"), id="lost its bak"),
        pytest.param(deleting("manifest.json"), id="lost its manifest"),
    ],
)
def test_a_point_that_is_worth_less_by_now_lets_no_other_go_in_its_favour(fleet: Stock, meanwhile: Meanwhile) -> None:
    stands, other = fleet.add(LATER), fleet.add(OLD)
    report = fleet.run(run_and_between_its_looks(fleet, partial(meanwhile, fleet, stands)))
    assert fleet.state(other) == "verified"
    assert "what would go is no longer what was approved" in report.tenants["acme"].text()


@pytest.mark.parametrize("meanwhile", [hold, read])
def test_a_point_that_is_wanted_by_now_stays(fleet: Stock, meanwhile: Meanwhile) -> None:
    fleet.add(LATER)
    for wanted in (fleet.add(OLD), fleet.add_expiring(OLD - DAY, NOW - 2 * DAY)):
        parts = fleet.remaining_parts(wanted)
        fleet.run(run_and_between_its_looks(fleet, partial(meanwhile, fleet, wanted)))
        assert fleet.state(wanted) == "verified" or meanwhile is read
        assert fleet.remaining_parts(wanted) == parts


def test_a_point_comes_back_in_the_run_in_which_the_better_one_has_failed(fleet: Stock) -> None:
    stands, expiring = fleet.add(LATER), fleet.add_expiring(OLD, NOW - timedelta(hours=1))
    fleet.run(run_and_between_its_looks(fleet, partial(FAILED, fleet, stands)))
    assert fleet.state(expiring) == "verified"


def test_a_change_that_is_of_no_matter_keeps_nothing_from_going(fleet: Stock) -> None:
    stands, other = fleet.add(LATER), fleet.add(OLD)
    fleet.run(run_and_between_its_looks(fleet, partial(changing(note="of no matter"), fleet, stands)))
    assert fleet.state(other) == "expiring"


def test_a_policy_that_another_run_has_recorded_by_now_is_the_one_that_counts(stock: Stock) -> None:
    stock.register("acme", daily=10, weekly=0, monthly=0, yearly=0)
    stock.add_daily(NOW, 10)
    stock.retain(NOW - DAY / 24)
    old = stock.add_daily(NOW - 60 * DAY, 4)

    async def record() -> None:
        version = await stock.vault.applied_policies.require("acme", "acme")
        policy = RetentionPolicy(daily=100, weekly=0, monthly=0, yearly=0)
        await stock.vault.applied_policies.put(version.value.model_copy(update={"policy": policy}))

    report = stock.run(run_and_between_its_looks(stock, record))
    assert {stock.state(point) for point in old} == {"verified"}
    assert "MAX_DELETE" in report.tenants["acme"].text()


def test_a_manifest_that_was_written_while_it_was_looked_at_is_read_again(fleet: Stock) -> None:
    point, other = fleet.add(OLD), fleet.add(LATER)
    points_and_problems = Vault.points_and_problems

    async def after_a_change(self: Vault, *args: Any) -> Any:
        await changing(note="written after the listing")(fleet, point)
        return await points_and_problems(self, *args)

    with patch.object(Vault, "points_and_problems", after_a_change):
        inventory = fleet.run(
            take_inventory(fleet.vault, "acme", NOW, SharedLooks(fleet.vault), ignoring_lease_of="test")
        )
    assert inventory.manifests[point.id].value.note == "written after the listing"
    assert (point.id in inventory.known, other.id in inventory.known) == (False, True)
