"""Claims of shared snapshots: two at once, lost answers, claimers that die, fall silent, or come back late."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.rules.errors import OutrankedError
from include.rules.points import shared_snapshots
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState
from lab.testing.deadlines import within
from perennial.backup import claim
from perennial.hooks.aws.clients import closing_clients
from tests.support import sweeps
from tests.support.neighbours import Neighbours, daily
from tests.support.processes import at_once_in_processes
from tests.support.steps import OPEN, WEB
from tests.support.triggers import CutOff

pytestmark = pytest.mark.lab

BOTH = ["acme", "globex"]


@pytest.fixture
def two(neighbours: Neighbours) -> Neighbours:
    """Two tenants whose points are open and have no snapshot yet."""
    neighbours.add("globex")
    neighbours.at_once([OPEN])
    return neighbours


def web_step(two: Neighbours, tenant: str) -> Coroutine[Any, Any, Any]:
    return two.world.step(WEB, daily(tenant), f"run-1-{tenant}").work_within_deadline()


def in_another_loop(work: Coroutine[Any, Any, Any]) -> None:
    """Do it as another triggerer does, which shares nothing with this one."""

    async def working() -> None:
        async with closing_clients():
            await work

    asyncio.run(working())


def shared_by_both(two: Neighbours) -> SharedSnapshot:
    """The one shared snapshot of the web volume, which both points name as their part."""
    world = two.world
    (one,), (other,) = (world.shared_snapshots(daily(tenant)) for tenant in BOTH)
    assert one == other
    assert one.state is ShareState.STARTED
    for tenant in BOTH:
        part = world.manifest(daily(tenant)).parts.web_snapshot
        assert part
        assert (part.claim, part.snapshot_id, part.started_at) == (one.id, one.snapshot_id, one.started_at)
    return one


async def cut_once_refused(two: Neighbours, tenant: str, calls: int = 1) -> None:
    """End a step whose claim is written, once AWS has refused its snapshot, or so many calls met a fault."""
    step = asyncio.create_task(web_step(two, tenant))
    while await asyncio.sleep(0.05, len(two.world.cloud.fault_hits()) < calls):
        pass
    step.cancel()
    await asyncio.gather(step, return_exceptions=True)


def fall_silent(two: Neighbours, monkeypatch: pytest.MonkeyPatch, tenant: str = "acme") -> None:
    """Let a claimer die while AWS refuses, and its claim be silent at once."""
    two.world.cloud.add_fault("ec2:CreateSnapshot", code="ConcurrentSnapshotLimitExceeded", times=None)

    two.world.runner.run(cut_once_refused(two, tenant))
    two.world.cloud.clear_faults()
    monkeypatch.setattr(shared_snapshots, "SILENCE", timedelta(0))


@pytest.mark.timeout(400)
def test_two_triggerers_at_once_make_one_claim(two: Neighbours) -> None:
    two.world.storage.faults.add("s3:PutObject", match="shared-snapshots", delay=1, times=2)
    said = at_once_in_processes(WEB, map(daily, BOTH))
    assert said[0] == said[1]
    assert len(two.snapshots_of(two.web.volume)) == 1
    assert {user.tenant for user in shared_by_both(two).users} == set(BOTH)


def test_what_somebody_has_put_beside_the_claims_of_a_volume_stops_none(two: Neighbours) -> None:
    """A copy under another name, of a claim of the same day."""
    world, place = two.world, two.world.vault.documents
    key = world.vault.shared_snapshots.key(two.web.volume, f"{datetime.now(UTC):%Y%m%d}-0007")
    world.storage.client().put_object(Bucket=place.bucket, Key=f"{place.prefix}{key}.bak", Body=b"{}")
    two.at_once([WEB])
    assert shared_by_both(two).id.endswith("-0001")


def test_a_snapshot_whose_answer_was_lost_is_found_again_by_its_claim(two: Neighbours) -> None:
    two.world.cloud.add_fault("ec2:CreateSnapshot", after=True, drop=True)
    two.at_once([WEB])
    shared_by_both(two)
    assert len(two.snapshots_of(two.web.volume)) == 1


@pytest.mark.parametrize("is_taken_over", [False, True])
def test_a_snapshot_whose_answer_was_lost_was_claimed_before_it_was_first_asked_for(
    two: Neighbours, monkeypatch: pytest.MonkeyPatch, *, is_taken_over: bool
) -> None:
    monkeypatch.setattr(claim, "HEARTBEAT", 0)
    monkeypatch.setenv("PERENNIAL_POLL_SECONDS", "1.2")  # the store tells whole seconds
    cloud = two.world.cloud
    cloud.add_fault("ec2:CreateSnapshot", after=True, drop=True)
    cloud.add_fault("ec2:DescribeSnapshots", lag=60, times=1)
    if is_taken_over:
        cloud.add_fault("ec2:CreateSnapshot", delay=60)
        two.world.runner.run(cut_once_refused(two, "acme", calls=3))
        cloud.clear_faults()
    else:
        cloud.add_fault("ec2:CreateSnapshot", drop=True)
    two.at_once([WEB])
    shared = shared_by_both(two)
    assert len(two.snapshots_of(two.web.volume)) == 1
    assert shared.claimed_at
    assert shared.started_at
    assert shared.claimed_at <= shared.started_at, "both clocks are this machine's here"


@pytest.mark.timeout(600)
@sweeps.every(5)
def test_a_claimer_cut_off_at_any_await_costs_the_one_that_waits_nothing(two: Neighbours, every: int) -> None:
    world = two.world
    for suspension in range(1, 200, every):
        two.forget_snapshots(*BOTH)

        async def both(at: int = suspension) -> bool:
            reached, _ = await asyncio.gather(CutOff.run(web_step(two, "acme"), at), web_step(two, "globex"))
            return reached

        reached = world.runner.run(both())
        if reached:
            world.runner.run(web_step(two, "acme"))
        shared = shared_by_both(two)
        assert [user.tenant for user in shared.users if user.tenant == "acme"] == ["acme"]
        if not reached:
            break
    else:
        pytest.fail("the step never came to its end")
    assert suspension > 5


def test_a_silent_claim_is_taken_over_by_another_triggerer(two: Neighbours, monkeypatch: pytest.MonkeyPatch) -> None:
    fall_silent(two, monkeypatch)
    in_another_loop(web_step(two, "globex"))
    (shared,) = two.world.shared_snapshots(daily("globex"))
    assert (shared.id[-4:], [user.tenant for user in shared.users], len(shared.tags)) == ("0001", ["globex"], 2)
    two.at_once([WEB], tenants=["acme"])
    shared_by_both(two)


def test_a_run_goes_on_with_its_own_claim_at_once(two: Neighbours) -> None:
    world = two.world
    world.cloud.add_fault("ec2:CreateSnapshot", code="ConcurrentSnapshotLimitExceeded", times=1)
    world.runner.run(cut_once_refused(two, "acme"))
    in_another_loop(web_step(two, "acme"))
    (shared,) = world.shared_snapshots(daily("acme"))
    assert (shared.id[-4:], shared.state) == ("0001", ShareState.STARTED)


def test_what_a_silent_claimer_has_asked_for_is_adopted(two: Neighbours, monkeypatch: pytest.MonkeyPatch) -> None:
    fall_silent(two, monkeypatch)
    (claimed,) = two.world.shared_snapshots(daily("acme"))
    assert claimed.state is ShareState.CLAIMED
    tags = {"perennial:vault": two.world.vault.settings.vault, "perennial:claim": claimed.tag}
    made = two.world.cloud.client("ec2").create_snapshot(
        VolumeId=two.web.volume,
        TagSpecifications=[
            {"ResourceType": "snapshot", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        ],
    )
    in_another_loop(web_step(two, "globex"))
    two.at_once([WEB], tenants=["acme"])
    assert shared_by_both(two).snapshot_id == made["SnapshotId"]
    assert len(two.snapshots_of(two.web.volume)) == 1


def test_a_claimer_that_comes_back_after_it_was_taken_over_joins_the_other(
    two: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_snapshots, "SILENCE", timedelta(seconds=2))
    two.world.cloud.add_fault("ec2:CreateSnapshot", delay=8)
    stalled = threading.Thread(target=in_another_loop, args=(web_step(two, "acme"),))
    stalled.start()
    while not two.world.cloud.fault_hits():
        stalled.join(0.05)
    two.at_once([WEB], tenants=["globex"])
    stalled.join()
    shared = shared_by_both(two)
    assert shared.users[0].tenant == "globex"
    found = {tags["perennial:claim"] for tags in two.snapshots_of(two.web.volume)}
    assert found == set(shared.tags)  # one more than is used: retention sweeps it


def test_a_claimer_whose_step_was_begun_again_elsewhere_stops_at_once(two: Neighbours) -> None:
    two.world.cloud.add_fault("ec2:CreateSnapshot", delay=8, times=1)
    outcomes = list[BaseException]()

    async def note_the_outcome() -> None:
        outcomes.extend(await asyncio.gather(web_step(two, "acme"), return_exceptions=True))

    stalled = threading.Thread(target=in_another_loop, args=(note_the_outcome(),), daemon=True)
    stalled.start()
    while not two.world.cloud.fault_hits():
        stalled.join(0.05)
    two.at_once([WEB], tenants=["acme"])
    stalled.join(within(30))
    assert [type(outcome) for outcome in outcomes] == [OutrankedError]


def test_a_claim_that_amazon_refuses_for_good_fails_those_who_wait_and_is_left_to_retention(two: Neighbours) -> None:
    two.world.cloud.add_fault("ec2:CreateSnapshot", code="SnapshotLimitExceeded")

    async def both() -> list[Any]:
        return await asyncio.gather(*(web_step(two, tenant) for tenant in BOTH), return_exceptions=True)

    errors = two.world.runner.run(both())
    for tenant, error in zip(BOTH, errors, strict=True):
        assert f"of tenant {tenant} could not be snapshotted: An error occurred (SnapshotLimitExceeded)" in str(error)
    ids = two.world.runner.run(two.world.vault.shared_snapshot_ids(two.web.volume))
    (given_up,) = [two.world.runner.run(two.world.vault.shared_snapshots.require(two.web.volume, one)) for one in ids]
    assert (given_up.value.state, given_up.value.users) == (ShareState.DELETING, ())
    two.at_once([WEB])
    assert shared_by_both(two).id.endswith("-0002")
