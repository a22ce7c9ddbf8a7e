"""Points that are announced for a volume's snapshot: who comes later needs no write of its own."""

from __future__ import annotations

from collections import Counter

import pytest

from include.rules.points.requests import BackupRequest
from include.rules.points.shared_snapshots import SharedSnapshot
from perennial.backup import announced
from tests.support import sweeps
from tests.support.aws_calls import counting
from tests.support.elsewhere import elsewhere
from tests.support.holdings import assert_one_of_each
from tests.support.neighbours import Neighbours, by_hand, daily
from tests.support.steps import DATABASE, OPEN, WEB, Step, chain_from
from tests.support.triggers import CutOff

pytestmark = pytest.mark.lab


@pytest.fixture
def two(neighbours: Neighbours) -> Neighbours:
    """Two tenants whose points are open."""
    neighbours.add("globex")
    neighbours.at_once([OPEN])
    return neighbours


def web_share(two: Neighbours, tenant: str) -> SharedSnapshot:
    """The shared snapshot of the web volume on whose list the tenant's point is."""
    (shared,) = [one for one in two.world.shared_snapshots(daily(tenant)) if one.volume == two.web.volume]
    return shared


def token_on_list(two: Neighbours, tenant: str) -> int:
    user = web_share(two, tenant).user(tenant, BackupRequest.parse(daily(tenant)).recovery_point_id)
    assert user
    return user.token


def on_a_list(two: Neighbours, tenant: str) -> bool:
    return bool(two.world.shared_snapshots(daily(tenant)))


def run_elsewhere(two: Neighbours, step: Step, tenant: str) -> None:
    """Run a step in another process."""
    elsewhere(lambda _: two.world.step(step, daily(tenant), f"run-1-{tenant}").work_within_deadline())


def test_tenants_that_come_one_after_the_other_are_put_on_the_lists_by_the_first_one(neighbours: Neighbours) -> None:
    neighbours.add(*(f"tenant-{number}" for number in range(5)))
    neighbours.at_once([OPEN])
    with counting(neighbours.world) as calls:
        for step in (WEB, DATABASE):
            for tenant in neighbours.tenants:
                neighbours.at_once([step], tenants=[tenant])
    shared = Counter(call.action for call in calls.of("s3") if call.is_of_shared_snapshots)
    assert shared == {"ListObjectsV2": 2, "PutObject": 4}, calls.table()  # for each volume: claimed, started
    for tenant in neighbours.tenants:
        manifest = neighbours.world.manifest(daily(tenant))
        lists = neighbours.world.shared_snapshots(daily(tenant))
        assert {(one.volume, one.id) for one in lists} == manifest.parts.claims
        assert len(lists) == 2


def test_a_point_whose_steps_another_triggerer_has_had_since_joins_by_itself(two: Neighbours) -> None:
    two.at_once([WEB], tenants=["acme"])
    assert token_on_list(two, "globex") == 1
    run_elsewhere(two, OPEN, "globex")
    two.at_once([WEB], tenants=["globex"])
    assert token_on_list(two, "globex") == two.world.lease("globex").token == 3


def test_a_step_that_goes_on_elsewhere_finds_its_point_on_the_list(two: Neighbours) -> None:
    two.at_once([WEB], tenants=["acme"])
    run_elsewhere(two, WEB, "globex")
    assert web_share(two, "globex") == web_share(two, "acme")
    assert token_on_list(two, "globex") == two.world.lease("globex").token == 2


def test_who_has_not_come_within_a_minute_is_awaited_no_longer(
    neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    neighbours.add("globex")
    monkeypatch.setattr(announced, "SOON", 0)
    neighbours.at_once([OPEN])
    neighbours.at_once([WEB], tenants=["acme"])
    assert not on_a_list(neighbours, "globex")
    neighbours.at_once([WEB], tenants=["globex"])
    assert web_share(neighbours, "globex") == web_share(neighbours, "acme")


def test_a_point_by_hand_is_put_on_no_list_but_its_own(neighbours: Neighbours) -> None:
    neighbours.add("globex")
    neighbours.at_once([OPEN], tenants=["acme"], request=by_hand)
    neighbours.at_once([OPEN, WEB], tenants=["globex"])
    assert neighbours.world.shared_snapshots(by_hand("acme")) == []


@pytest.mark.timeout(600)
@sweeps.every(5)
def test_a_point_that_others_have_put_on_a_list_is_cut_off_at_any_await_and_stays_on_it(
    two: Neighbours, every: int
) -> None:
    world = two.world
    for suspension in range(1, 200, every):
        two.forget_snapshots(*two.tenants)
        two.at_once([OPEN])
        two.at_once([WEB], tenants=["acme"])
        assert on_a_list(two, "globex")
        step = world.step(WEB, daily("globex"), "run-1-globex")
        reached = world.runner.run(CutOff.run(step.work_within_deadline(), suspension))
        if reached:
            run_elsewhere(two, WEB, "globex")
        part = world.manifest(daily("globex")).parts.web_snapshot
        assert part
        assert part.claim == web_share(two, "globex").id
        if not reached:
            break
    else:
        pytest.fail("the step never came to its end")
    two.at_once(chain_from(DATABASE))
    assert_one_of_each(world, daily("globex"))
