"""The step `close`: what lies beside a recovery point without being part of it is swept, and nothing else."""

from __future__ import annotations

import pytest

from include.rules.errors import UnavailableError
from tests.support.holdings import assert_one_of_each
from tests.support.steps import CHAIN, CLOSE, OPEN, TODAY
from tests.support.world import World

pytestmark = pytest.mark.lab


def test_extra_snapshots_and_files_of_the_same_point_are_swept(world: World) -> None:
    for step in CHAIN[:-1]:
        world.run(step, TODAY)
    tags = world.snapshots(TODAY)[0]["Tags"]
    volume = world.entries["acme"]["web"]["volume"]
    specification = [{"ResourceType": "snapshot", "Tags": tags}]
    world.cloud.client("ec2").create_snapshot(VolumeId=volume, TagSpecifications=specification)
    vault, key = world.vault, world.files(TODAY)[0].replace("full-01", "full-99")
    world.storage.client().put_object(Bucket=vault.documents.bucket, Key=vault.documents.prefix + key, Body=b"half")
    world.run(CLOSE, TODAY)
    assert_one_of_each(world, TODAY)


def test_beside_a_manifest_that_does_not_name_all_its_parts_nothing_is_swept(world: World) -> None:
    """Somebody has edited it: what it does not name may be the only copy."""
    point = world.back_up(TODAY)
    without = point.parts.model_copy(update={"bak": None, "web_snapshot": None})
    edit = world.vault.change_point("acme", point.id, lambda m: m.model_copy(update={"parts": without}))
    world.runner.run(edit)
    world.run(OPEN, TODAY, "run-2")
    assert len(world.files(TODAY)) == 1
    assert len(world.snapshots(TODAY)) == 2


def test_a_snapshot_of_another_tenant_is_never_swept(world: World) -> None:
    world.add_tenant("globex")
    other = world.back_up("globex|daily|2026-11-23")
    world.back_up(TODAY)
    assert other.parts.web_snapshot
    assert other.parts.web_snapshot.snapshot_id in {s["SnapshotId"] for s in world.snapshots("globex|daily|2026-11-23")}


def test_an_extra_that_could_not_be_swept_is_swept_the_next_time(world: World) -> None:
    for step in CHAIN[:-1]:
        world.run(step, TODAY)
    specification = [{"ResourceType": "snapshot", "Tags": world.snapshots(TODAY)[0]["Tags"]}]
    volume = world.entries["acme"]["web"]["volume"]
    world.cloud.client("ec2").create_snapshot(VolumeId=volume, TagSpecifications=specification)
    world.cloud.add_fault("ec2:DeleteSnapshot", code="UnauthorizedOperation", status=403)
    with pytest.raises(UnavailableError, match=r"acme is verified, but an extra snapshot .* could not be deleted"):
        world.run(CLOSE, TODAY)
    assert world.lease("acme").owner is None
    world.back_up(TODAY)
    assert_one_of_each(world, TODAY)
