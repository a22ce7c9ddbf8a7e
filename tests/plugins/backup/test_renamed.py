"""A tenant that has another name in the register by the time its step comes: its run is still its own."""

from __future__ import annotations

import asyncio

import pytest

from include.rules.errors import PartError
from include.rules.points.looks import TenantLook
from lab.testing.deadlines import within
from perennial.backup.asker import Asker
from tests.support.neighbours import Neighbours, daily
from tests.support.steps import OPEN, WEB

pytestmark = pytest.mark.lab


async def snapshot_in_time(neighbours: Neighbours) -> None:
    async with asyncio.timeout(within(30)):
        await neighbours.work(WEB, daily("acme"))


def test_a_tenant_renamed_in_the_register_during_its_run_has_one_snapshot_made(neighbours: Neighbours) -> None:
    world = neighbours.world
    neighbours.at_once([OPEN])
    world.entries["acme"]["id"] = "acme-gmbh"
    world.write_register()
    world.runner.run(snapshot_in_time(neighbours))
    (shared,) = world.shared_snapshots(daily("acme"))
    assert [look.tenant for look in shared.looks.values()] == ["acme"]
    assert len(neighbours.snapshots_of(neighbours.web.volume)) == 1


def test_a_snapshot_that_its_claimer_cannot_use_is_followed_by_an_error_and_by_no_other_one(
    neighbours: Neighbours, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sees_nobody(_: Asker) -> dict[str, TenantLook]:
        return {}

    neighbours.at_once([OPEN])
    monkeypatch.setattr(Asker, "look", sees_nobody)
    told = (
        r"of tenant acme could not be snapshotted: the looks of its shared snapshot \d{8}-0001 have none at this tenant"
    )
    with pytest.raises(PartError, match=told):
        neighbours.world.runner.run(snapshot_in_time(neighbours))
    assert len(neighbours.snapshots_of(neighbours.web.volume)) == 1
