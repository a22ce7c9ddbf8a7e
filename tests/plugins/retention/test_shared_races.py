"""Leaving and deleting shared snapshots, cut off, raced and overtaken: nothing leaks, and nothing wanted is deleted."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from include.rules.errors import RefusedError
from include.rules.points.leases import Purpose
from include.rules.points.manifest import Expiry, Manifest
from include.rules.points.parts import PartName
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState, SnapshotUser
from include.rules.points.transitions import State
from include.rules.retention.reports import Deed, FleetReport
from perennial.hooks.aws.clients import closing_clients
from perennial.hooks.register import read_register
from perennial.hooks.vault import tenant_lease
from perennial.hooks.vault.tenant_lease import TenantLease
from perennial.retention.fleet import Retention
from perennial.retention.leaving import leave
from tests.support import sweeps
from tests.support.retention import DAY, NOW, OLD, Stock
from tests.support.shared import add_shared, add_sharing, assert_gone, current, is_there, join, two_of_today, users
from tests.support.triggers import CutOff

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

MARKED = Expiry(marked_at=NOW - 2 * DAY, previous_state=State.VERIFIED)


@pytest.fixture
def fleet(fleet: Stock) -> Stock:
    return two_of_today(fleet)


def expire(stock: Stock, *points: Manifest) -> None:
    for point in points:
        stock.change(point, state=State.EXPIRING, expiry=MARKED)


def take_off(stock: Stock, document: SharedSnapshot, point: Manifest) -> None:
    """Take a point off the list, which others are on, too."""

    def left(found: SharedSnapshot) -> SharedSnapshot:
        return found.left(point.tenant, point.id, 0)

    stock.run(stock.vault.change_shared_snapshot(document.volume, document.id, left))


async def run(stock: Stock, run_id: str = "run-1") -> FleetReport:
    register = await read_register(stock.vault.settings)
    return await Retention(stock.vault, register, f"test/retention/{run_id}", NOW).run_for_fleet()


async def run_for_acme(stock: Stock) -> dict[str, Any]:
    """A run for the one tenant: it does the same in this very coroutine, where it can be cut off."""
    register = await read_register(stock.vault.settings)
    retention = Retention(stock.vault, register, "test/retention/run-1", NOW)
    shown, _ = await retention.preview("acme")
    return (await retention.run_for_tenant(shown)).to_json()


@sweeps.every(12)
def test_cut_off_anywhere_the_next_run_leaks_nothing_and_deletes_nothing_that_is_wanted(
    fleet: Stock, every: int
) -> None:
    """Acme is the last user of one of its snapshots; the other one, globex uses too."""
    before, wanted = fleet.everything(), list[SharedSnapshot]()
    for number in range(1, 300):
        time = OLD - number * DAY
        (acme, globex), (both, alone) = add_sharing(fleet, time)
        take_off(fleet, alone, globex)
        without = globex.parts.model_copy(update={"db_snapshot": None})
        fleet.change(globex, parts=without, left_out={PartName.DB_SNAPSHOT: "a small point"})
        expire(fleet, acme)
        reached = fleet.run(CutOff.run(run_for_acme(fleet), number * every))
        assert users(fleet, both) in ([acme.id, globex.id], [globex.id])
        assert fleet.retain().not_done() == []
        assert fleet.state(acme) == "gone"
        assert_gone(fleet, alone)
        assert (users(fleet, both), is_there(fleet, both)) == ([globex.id], True)
        expire(fleet, globex)
        wanted.append(both)
        if not reached:
            break
    else:
        pytest.fail("retention never came to its end")
    fleet.retain()
    assert_gone(fleet, *wanted)
    assert fleet.everything() == before


def test_two_runs_at_once_do_the_work_of_one(fleet: Stock) -> None:
    before, points, shared = fleet.everything(), list[Manifest](), list[SharedSnapshot]()
    for number in range(2):
        of_day, snapshots = add_sharing(fleet, OLD - number * DAY)
        points, shared = [*points, *of_day], [*shared, *snapshots]
    expire(fleet, *points)

    def by_itself(run_id: str) -> FleetReport:
        """A run in an event loop of its own, as in another process: it shares nothing but the store."""

        async def running() -> FleetReport:
            async with closing_clients():
                return await run(fleet, run_id)

        return asyncio.run(running())

    with ThreadPoolExecutor() as threads:
        reports = list(threads.map(by_itself, ("run-1", "run-2")))
    deleted = [
        point for report in reports for one in report.tenants.values() for point in one.done.get(Deed.DELETED, [])
    ]
    assert [report.needing_operator() for report in reports] == [[], []]
    fleet.retain(run_id="run-3")  # a tenant whose lease the other one held is left for the next run
    assert len(deleted) == len(set(deleted))
    assert {fleet.state(point) for point in points} == {"gone"}
    assert_gone(fleet, *shared)
    assert fleet.everything() == before


@pytest.mark.parametrize("joins_first", [True, False])
def test_a_point_that_joins_in_the_moment_of_the_last_leave_joins_or_is_refused(
    fleet: Stock, joins_first: bool
) -> None:
    """Whichever writes first: the snapshot stays and has a user, or it goes and nobody has joined it."""
    (acme,), (shared, _) = add_sharing(fleet, OLD, ["acme"])
    globex = fleet.add(OLD, tenant="globex", roles=())
    expire(fleet, acme)
    change, raced = type(fleet.vault).change_shared_snapshot, list[str]()

    async def racing(vault: Any, volume: str, claim: str, how: Any, *read: Any) -> Any:
        """Retention's write, beside which the other point joins: right before, or right after."""
        if (volume, raced) != (shared.volume, []):
            return await change(vault, volume, claim, how, *read)
        raced.append("left")
        user = SnapshotUser(tenant="globex", point=globex.id, token=1)
        joining = partial(change, vault, volume, claim, lambda document: document.joined([user]))
        if joins_first:
            stale = await vault.shared_snapshot(volume, claim)
            await joining()
            assert stale.value.left("acme", acme.id, 99).state is ShareState.DELETING  # what it would have written
            return await change(vault, volume, claim, how, *read)
        changed = await change(vault, volume, claim, how, *read)
        with pytest.raises(RefusedError, match="deleting, so that nobody can join it"):
            await joining()
        return changed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(fleet.vault), "change_shared_snapshot", racing)
        assert fleet.retain().not_done() == []
    assert raced
    assert fleet.state(acme) == "gone"
    if joins_first:
        assert (users(fleet, shared), is_there(fleet, shared)) == ([globex.id], True)
    else:
        assert_gone(fleet, shared)


def test_many_that_leave_and_join_at_once_are_neither_lost_nor_left_behind(fleet: Stock) -> None:
    """Ten points leave while ten others join, as fast as the store lets them."""
    shared = add_shared(fleet, OLD)
    leaving = [fleet.add(OLD - n * DAY, roles=()) for n in range(10)]
    joining = [fleet.add(OLD - n * DAY, tenant="globex", roles=()) for n in range(10)]
    join(fleet, shared, *leaving)

    async def leaves(lease: TenantLease, point: Manifest) -> bool:
        return await leave(lease, point.id, shared.name)

    async def joins(point: Manifest) -> bool:
        user = SnapshotUser(tenant=point.tenant, point=point.id, token=1)
        try:
            await fleet.vault.change_shared_snapshot(shared.volume, shared.id, lambda d: d.joined([user]))
        except RefusedError:
            return False
        return True

    async def all_at_once() -> list[bool]:
        lease = await tenant_lease.acquire(fleet.vault, "acme", "test/retention/run-1", Purpose.RETENTION)
        async with tenant_lease.released_after(lease):
            results = await asyncio.gather(*(leaves(lease, p) for p in leaving), *(joins(p) for p in joining))
        return results[len(leaving) :]

    joined = [point.id for point, done in zip(joining, fleet.run(all_at_once()), strict=True) if done]
    assert sorted(users(fleet, shared)) == sorted(joined)
    assert (current(fleet, shared).state is ShareState.DELETING) == (not joined)


def test_a_step_that_was_fenced_off_takes_no_point_off_that_was_made_again_under_the_same_id(fleet: Stock) -> None:
    """It comes too late by one write: it has looked at its lease, and then the point is made again and joins."""
    (acme,), (shared, _) = add_sharing(fleet, OLD, ["acme"])

    async def too_late() -> None:
        lease = await tenant_lease.acquire(fleet.vault, "acme", "test/retention/run-1", Purpose.RETENTION)
        again = SnapshotUser(tenant="acme", point=acme.id, token=lease.token + 1)

        async def made_again(_: TenantLease) -> None:
            await fleet.vault.change_shared_snapshot(shared.volume, shared.id, lambda d: d.joined([again]))

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(TenantLease, "check", made_again)
            with pytest.raises(RefusedError, match=f"was joined again by recovery point {acme.id} of tenant acme"):
                await leave(lease, acme.id, shared.name)

    fleet.run(too_late())
    assert users(fleet, shared) == [acme.id]


def test_a_lost_answer_of_delete_snapshot_is_no_trouble(fleet: Stock) -> None:
    points, shared = add_sharing(fleet, OLD)
    expire(fleet, *points)
    fleet.cloud.add_fault("ec2:DeleteSnapshot", match=shared[0].snapshot_id, after=True, drop=True)
    assert fleet.retain().not_done() == []
    assert_gone(fleet, *shared)
