"""Claims whose snapshot AWS may have made without a word: it is looked for before anybody asks for another one."""

from __future__ import annotations

import asyncio

import pytest

from include.rules.points.looks import TenantLook
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState
from perennial.backup import claim
from perennial.backup.asker import Asker
from tests.support.neighbours import Neighbours, daily
from tests.support.steps import OPEN, WEB

pytestmark = pytest.mark.lab


@pytest.fixture
def opened(neighbours: Neighbours) -> Neighbours:
    """A tenant whose point is open and has no snapshot yet."""
    neighbours.at_once([OPEN])
    return neighbours


def only_one(neighbours: Neighbours, tenant: str = "acme") -> SharedSnapshot:
    """The shared snapshot of the web volume, of which there is no other one."""
    (tags,) = neighbours.snapshots_of(neighbours.web.volume)
    (shared,) = neighbours.world.shared_snapshots(daily(tenant))
    assert (shared.state, tags["perennial:claim"]) == (ShareState.STARTED, shared.tag)
    return shared


def lose_an_answer(neighbours: Neighbours) -> None:
    """Let AWS make a snapshot without a word, and not show it at the first look."""
    neighbours.world.cloud.add_fault("ec2:CreateSnapshot", after=True, drop=True)
    neighbours.world.cloud.add_fault("ec2:DescribeSnapshots", lag=60, times=1)


@pytest.mark.parametrize("code", ["SnapshotCreationPerVolumeRateExceeded", "SnapshotLimitExceeded"])
def test_a_refusal_says_nothing_of_an_earlier_call_that_was_not_answered(opened: Neighbours, code: str) -> None:
    lose_an_answer(opened)
    opened.world.cloud.add_fault("ec2:CreateSnapshot", code=code)
    opened.at_once([WEB])
    only_one(opened)


def test_a_claim_in_doubt_is_looked_for_again_before_another_look_changes_its_tag(
    opened: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim, "FRESH_SECONDS", 0)
    lose_an_answer(opened)
    opened.at_once([WEB])
    only_one(opened)


def test_what_a_claimer_ended_in_its_call_has_asked_for_is_looked_for_again_before_its_tag_changes(
    opened: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.add("globex")
    opened.at_once([OPEN], tenants=["globex"])
    look_at_once = Asker.look

    async def look_until_aws_has_made_it(asker: Asker) -> dict[str, TenantLook]:
        while await asyncio.sleep(0.05, not opened.snapshots_of(opened.web.volume)):
            pass
        return await look_at_once(asker)

    async def end_the_first() -> None:
        claiming = asyncio.create_task(opened.work(WEB, daily("acme")))
        await opened.aws_is_asked()
        claiming.cancel()
        await asyncio.gather(claiming, return_exceptions=True)
        monkeypatch.setattr(Asker, "look", look_until_aws_has_made_it)
        await opened.work(WEB, daily("globex"))

    opened.world.cloud.add_fault("ec2:CreateSnapshot", delay=2)
    opened.world.runner.run(end_the_first())
    assert only_one(opened, "globex").users[-1].tenant == "globex"
