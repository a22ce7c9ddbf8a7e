"""Listings of EC2: botocore reads an answer in one callback of the event loop, so that none of them may be large."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from perennial.hooks.aws import ebs, ebs_snapshots
from perennial.hooks.aws.clients import aws_client
from perennial.hooks.aws.ebs import Ebs
from tests.support.world import World

pytestmark = pytest.mark.lab

MOST = 200
"""Snapshots of 14 tags each whose answer is read in half of the 50 ms that a callback may take, with some to spare."""


async def list_everything(calls: Ebs, volume: str) -> list[Any]:
    """What any listing of EC2 shows that the product asks for."""
    snapshots = [snapshot async for snapshot in calls.every_snapshot()]
    on_volume = [snapshot async for snapshot in calls.snapshots_of_volumes([volume])]
    return [
        *snapshots,
        *on_volume,
        *await calls.snapshots([snapshot.id for snapshot in snapshots]),
        *await calls.pending_snapshots(),
        *await calls.snapshots_of_point("acme-daily-20261123"),
        *await calls.snapshots_of_tenant("acme"),
        *await calls.snapshots_of_claims(["20261123-0001.one"]),
        *await calls.volumes_of_host("i-0123456789abcdef0"),
        *await calls.volumes_of_restore("acme-restore-1"),
        *await calls.attachments([volume]),
        await calls.shows_anything_of(volume),
    ]


def test_every_listing_of_ec2_asks_for_answers_that_are_soon_read(lent_world: World) -> None:
    settings, asked = lent_world.vault.settings, list[tuple[str, int]]()

    def note(model: Any, params: Mapping[str, Any], **_: Any) -> None:
        asked.append((model.name, int(params["body"].get("MaxResults", 1000))))

    async def listed() -> None:
        ec2 = await aws_client("ec2", settings.aws_conn_id)
        ec2.meta.events.register("before-call.ec2", note, unique_id="pages")
        await list_everything(Ebs.of(settings), lent_world.entries["acme"]["web"]["volume"])
        ec2.meta.events.unregister("before-call.ec2", unique_id="pages")

    lent_world.runner.run(listed())
    assert {name for name, _ in asked} == {"DescribeSnapshots", "DescribeVolumes"}
    assert [(name, size) for name, size in asked if size > MOST] == []


def test_a_listing_of_many_answers_is_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (ebs, ebs_snapshots):
        monkeypatch.setattr(module, "ITEMS_PER_PAGE", 5)
    calls, volume = Ebs.of(world.vault.settings), world.entries["acme"]["web"]["volume"]
    made = set()
    for _ in range(7):
        snapshot = world.cloud.make_snapshot(volume, completed=False)
        world.cloud.set_snapshot_state(snapshot, "completed")  # of one volume five may be pending at a time
        made.add(snapshot)
    tags = [{"Key": "perennial:vault", "Value": world.vault.settings.vault}]
    world.cloud.client("ec2").create_tags(Resources=sorted(made), Tags=tags)

    async def ids() -> set[str]:
        return {snapshot.id async for snapshot in calls.snapshots_of_volumes([volume])}

    assert world.runner.run(ids()) >= made
    assert set(world.runner.run(calls.snapshots(made))) == made
