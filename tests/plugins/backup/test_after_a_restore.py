"""Backups after a restore: no point has bytes in it, or relies on a look, from before the restore's end."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

from include.rules.backup import sharing
from include.rules.errors import PartError
from include.rules.points.leases import Lease, Purpose
from include.rules.points.manifest import Manifest
from include.rules.points.shared_snapshots import ShareState
from include.rules.points.transitions import State
from lab.testing.deadlines import within
from perennial.hooks.vault import tenant_lease
from perennial.restore.files import CopyFilesTrigger
from tests.support import sweeps
from tests.support.elsewhere import elsewhere
from tests.support.holdings import assert_one_of_each
from tests.support.neighbours import Neighbours, by_hand, daily
from tests.support.restores import record
from tests.support.steps import (
    BACKUP,
    CHAIN,
    CLOSE,
    DATABASE,
    OPEN,
    RESTORE,
    VERIFY,
    WEB,
    Step,
    chain_before,
    steps_until,
)
from tests.support.world import World

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400)]

ACME = daily("acme")
GOOD, WRECKED = "welcome to acme", "wrecked"


@pytest.fixture
def wrecked(neighbours: Neighbours) -> Neighbours:
    """Two tenants on the same volumes; acme has a good point, and a wrecked site since."""
    neighbours.add("globex")
    neighbours.world.back_up(by_hand("acme"))
    (neighbours.world.site("acme") / "index.html").write_text(WRECKED)
    return neighbours


def page_in(world: World, manifest: Manifest) -> str:
    """acme's page as the point's snapshot of the web volume has it."""
    part = manifest.parts.web_snapshot
    assert part
    return (world.cloud.snapshot_path(part.snapshot_id) / "acme" / "site" / "index.html").read_text()


def claims_of(world: World, request: str) -> set[tuple[str, str]]:
    return {(one.volume, one.id) for one in world.shared_snapshots(request)}


def fail_before(world: World, step: Step) -> Manifest:
    """A daily point of acme that has all parts before that step, and then fails; returns it as it was left."""
    for one in CHAIN[: CHAIN.index(step)]:
        world.run(one, ACME)
    with pytest.raises(PartError, match="is failed, not verified"):
        world.run(CLOSE, ACME)
    return world.manifest(ACME)


def lose_the_lease(world: World) -> None:
    """The triggerer is away for longer than the lease lasts."""
    past = datetime(2020, 1, 1, tzinfo=UTC)

    def expired(lease: Lease | None) -> Lease:
        assert lease
        return lease.model_copy(update={"expires_at": past})

    elsewhere(lambda vault: vault.change_lease("acme", expired))


def assert_all_made_anew(world: World, before: Manifest) -> None:
    """The daily point is verified, and has none of the parts that it had; they are left to retention."""
    now = assert_one_of_each(world, ACME)
    assert now.attempt > before.attempt
    assert before.parts.identities
    assert set(now.parts.identities).isdisjoint(before.parts.identities)
    assert page_in(world, now) == GOOD


def test_a_daily_point_joins_neither_the_safety_point_of_a_restore_nor_what_a_neighbour_has_taken_during_it(
    wrecked: Neighbours,
) -> None:
    world = wrecked.world
    world.carry_out(steps_until(CopyFilesTrigger))
    world.back_up(by_hand("globex"))
    world.carry_out(RESTORE[len(steps_until(CopyFilesTrigger)) :])
    before = claims_of(world, by_hand("globex")) | claims_of(world, record(world).safety_request)
    assert len(before) == 4
    wrecked.at_once(tenants=["acme"])
    assert claims_of(world, ACME).isdisjoint(before)
    assert page_in(world, world.manifest(ACME)) == GOOD


def test_a_daily_point_joins_what_was_claimed_after_the_restore_and_after_looks_that_are_younger_than_it(
    wrecked: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = wrecked.world
    world.restore()
    time.sleep(1.1)  # the store tells whole seconds
    world.back_up(by_hand("globex"))
    first = claims_of(world, by_hand("globex"))
    wrecked.at_once([OPEN, WEB], tenants=["acme"])
    assert claims_of(world, ACME).isdisjoint(first), "a look in the claim may have been shared for five minutes"
    monkeypatch.setattr(sharing, "BELIEVED", timedelta(0))
    wrecked.at_once([DATABASE], tenants=["acme"])
    assert claims_of(world, ACME) & first


def test_a_claim_that_can_never_be_joined_is_not_waited_for(wrecked: Neighbours) -> None:
    world = wrecked.world
    world.restore()
    wrecked.at_once([OPEN], tenants=["globex"], request=by_hand)
    world.cloud.add_fault("ec2:CreateSnapshot", code="ConcurrentSnapshotLimitExceeded", times=None)
    elsewhere(lambda _: cut_once_refused(world))
    world.cloud.clear_faults()
    world.run(OPEN, ACME)
    world.runner.run(asyncio.wait_for(world.step(WEB, ACME).work_within_deadline(), within(30)))
    (theirs,), (own,) = (world.shared_snapshots(request) for request in (by_hand("globex"), ACME))
    assert (theirs.state, own.state) == (ShareState.CLAIMED, ShareState.STARTED)
    assert {user.tenant for user in own.users} == {"acme"}
    assert own.id > theirs.id


async def cut_once_refused(world: World) -> None:
    """End globex's step, whose claim is written, once AWS has refused its snapshot."""
    step = asyncio.create_task(world.step(WEB, by_hand("globex"), "run-1-globex").work_within_deadline())
    while await asyncio.sleep(0.05, not step.done() and not world.cloud.fault_hits()):
        pass
    step.cancel()
    await asyncio.gather(step, return_exceptions=True)


@pytest.mark.parametrize("step", [VERIFY, BACKUP], ids=["all parts", "its snapshots"])
def test_a_daily_point_that_had_failed_adopts_nothing_after_a_restore(wrecked: Neighbours, step: Step) -> None:
    world = wrecked.world
    before = fail_before(world, step)
    world.restore(recovery_point=world.manifest(by_hand("acme")).id)
    world.back_up(ACME, "run-2")
    assert_all_made_anew(world, before)


def test_a_run_that_opens_again_after_a_restore_begins_a_new_attempt(wrecked: Neighbours) -> None:
    world = wrecked.world
    for step in chain_before(VERIFY):
        world.run(step, ACME)
    before = world.manifest(ACME)
    lose_the_lease(world)
    world.restore(recovery_point=world.manifest(by_hand("acme")).id)
    assert world.manifest(ACME).state is State.RUNNING
    world.back_up(ACME)
    assert_all_made_anew(world, before)


@sweeps.every(4)
def test_an_open_that_is_cut_off_at_any_await_after_a_restore_adopts_nothing_when_it_begins_again(
    wrecked: Neighbours, every: int
) -> None:
    world = wrecked.world
    before = fail_before(world, VERIFY)
    world.restore(recovery_point=world.manifest(by_hand("acme")).id)
    given_back = world.lease("acme")
    for number, suspension in enumerate(range(1, 200, every)):
        elsewhere(lambda vault: vault.change_lease("acme", lambda _: given_back))
        world.change_manifest(ACME, lambda _: before)
        reached = world.cut_off_and_run_again(OPEN, ACME, suspension, elsewhere=number % 2 == 1)
        assert world.manifest(ACME).parts.identities == ()
        if not reached:
            break
    else:
        pytest.fail("the step never came to its end")
    assert suspension > 5


def test_a_later_step_alone_completes_no_point_of_two_sides_of_a_restore(wrecked: Neighbours) -> None:
    world = wrecked.world
    fail_before(world, BACKUP)
    world.restore(recovery_point=world.manifest(by_hand("acme")).id)
    world.run(OPEN, ACME)  # Airflow clears it with every step after it
    world.run(BACKUP, ACME)
    with pytest.raises(PartError, match=r"has no web_snapshot, db_snapshot\. Clear the task `open`"):
        world.run(VERIFY, ACME)


@pytest.mark.parametrize("step", [WEB, BACKUP, VERIFY], ids=lambda step: step[0].__name__)
def test_a_step_whose_attempt_was_opened_before_a_restore_refuses(wrecked: Neighbours, step: Step) -> None:
    world = wrecked.world
    for one in chain_before(VERIFY):
        world.run(one, ACME)
    parts, owner = world.manifest(ACME).parts, world.lease("acme").owner
    lose_the_lease(world)
    world.restore(recovery_point=world.manifest(by_hand("acme")).id)
    assert owner
    world.runner.run(tenant_lease.acquire(world.vault, "acme", owner, Purpose.BACKUP))  # as `close` takes it once more
    with pytest.raises(PartError, match=r"was begun before a restore.*Clear the task `open`"):
        world.run(step, ACME)
    assert world.manifest(ACME).parts == parts
    assert world.manifest(ACME).state is State.RUNNING


def test_a_lease_of_an_earlier_version_counts_as_a_restores(wrecked: Neighbours) -> None:
    world = wrecked.world
    before = fail_before(world, VERIFY)
    world.restore(recovery_point=world.manifest(by_hand("acme")).id)

    def as_it_was_written(lease: Lease | None) -> Lease:
        assert lease
        old = lease.model_dump(exclude={"restored_token", "restored_until"}) | {"purpose": ""}
        return Lease.model_validate(old)

    elsewhere(lambda vault: vault.change_lease("acme", as_it_was_written))
    world.back_up(ACME, "run-2")
    assert_all_made_anew(world, before)


def test_that_a_tenant_was_restored_is_remembered_by_all_later_backups(wrecked: Neighbours) -> None:
    world = wrecked.world
    world.restore()
    ended = world.lease("acme")
    for request in (ACME, by_hand("acme").replace("T10", "T11")):
        world.back_up(request)
        assert world.lease("acme").restored_token == ended.token
    restored = world.lease("acme").restored
    assert restored
    assert restored.until < world.manifest(ACME).opened_at + timedelta(seconds=1)
    world.restore(moment="2026-11-23T14:00:00Z")
    world.back_up(by_hand("acme").replace("T10", "T12"))
    assert world.lease("acme").restored_token > ended.token
