"""Two tenants back up at once, share their snapshots, and each of them loses its points without harm to the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.rules.points.manifest import Expiry
from include.rules.points.transitions import State
from include.rules.retention.reports import Deed, FleetReport
from perennial.hooks.register import read_register
from perennial.restore.files import CopyFilesTrigger
from perennial.retention.fleet import Retention
from tests.support.neighbours import Neighbours, daily
from tests.support.restores import assert_all_is_back, database, state, wreck
from tests.support.steps import RESTORE, steps_until
from tests.support.trees import furnish
from tests.support.world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

FROM_SNAPSHOT = {"recovery_point": "acme-daily-20261123", "database_from": "snapshot"}


@pytest.fixture
def shared(neighbours: Neighbours) -> World:
    """Two tenants with real files and rows: their daily points use the same two snapshots, their manual ones others."""
    neighbours.add("globex")
    world = neighbours.world
    for tenant in neighbours.tenants:
        furnish(world.site(tenant))
        rows = ", ".join(f"({number}, N'{tenant} {number}')" for number in range(50))
        world.sql.run(
            "CREATE TABLE dbo.orders (id INT PRIMARY KEY, customer NVARCHAR(100))",
            f"INSERT INTO dbo.orders (id, customer) VALUES {rows}",
            database=database(world, tenant),
        )
    neighbours.at_once()
    for tenant in neighbours.tenants:
        world.back_up(f"{tenant}|manual|2026-11-23T10:00:00Z", f"manual-{tenant}")
    return world


def retain(world: World) -> FleetReport:
    """A run of retention over the fleet, now."""

    async def run() -> FleetReport:
        register = await read_register(world.vault.settings)
        return await Retention(world.vault, register, "test/retention/run-1", datetime.now(UTC)).run_for_fleet()

    report: FleetReport = world.runner.run(run())
    return report


def expire(world: World, tenant: str) -> None:
    """Let the deletion of the tenant's point have begun, which nothing takes back."""
    long_ago = datetime.now(UTC) - timedelta(days=2)
    marked = Expiry(marked_at=long_ago, previous_state=State.VERIFIED, deletion_began_at=long_ago)
    world.change_manifest(daily(tenant), lambda m: m.model_copy(update={"state": State.EXPIRING, "expiry": marked}))


def only_acme_uses_them(world: World) -> bool:
    """Whether nobody but acme is on the lists of the snapshots that its daily point uses."""
    shared = world.shared_snapshots(daily("acme"))
    return len(shared) == 2 and {user.tenant for one in shared for user in one.users} == {"acme"}


def test_when_one_has_gone_the_other_restores_from_the_snapshot_byte_for_byte(shared: World) -> None:
    snapshots = {one["SnapshotId"] for one in shared.snapshots(daily("globex"))}
    assert snapshots == set(shared.manifest(daily("acme")).parts.snapshot_ids)
    before = state(shared)
    expire(shared, "globex")
    assert retain(shared).not_done() == []
    assert only_acme_uses_them(shared)
    assert wreck(shared) != before
    shared.restore(**FROM_SNAPSHOT)
    assert_all_is_back(shared, before)

    expire(shared, "acme")
    assert len(retain(shared).shared.deleted) == 2
    ec2 = shared.cloud.client("ec2")
    assert ec2.describe_snapshots(Filters=[{"Name": "snapshot-id", "Values": sorted(snapshots)}])["Snapshots"] == []


def test_a_restore_that_reads_the_snapshot_is_not_harmed_by_the_other_ones_expiry(shared: World) -> None:
    """It has opened, and holds acme's lease; while it is at work, globex' point goes."""
    before, begun = state(shared), steps_until(CopyFilesTrigger)
    wreck(shared)
    shared.carry_out(begun, **FROM_SNAPSHOT)
    expire(shared, "globex")
    report = retain(shared)
    assert report.tenants["globex"].done[Deed.DELETED] == ["globex-daily-20261123"]
    assert only_acme_uses_them(shared)
    shared.carry_out(RESTORE[len(begun) :], **FROM_SNAPSHOT)
    assert_all_is_back(shared, before)
