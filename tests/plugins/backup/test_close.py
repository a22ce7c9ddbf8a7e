"""The step `close`: what lies beside a recovery point without being part of it is swept, and nothing else."""

from __future__ import annotations

import pytest

from include.rules.errors import UnavailableError
from tests.support.holdings import assert_one_of_each
from tests.support.steps import CLOSE, OPEN, TODAY, chain_before
from tests.support.world import World

pytestmark = pytest.mark.lab


def add_extras(world: World) -> None:
    """Beside the point: a snapshot and a file of its name, as broken attempts leave them."""
    specification = [{"ResourceType": "snapshot", "Tags": world.snapshots(TODAY)[0]["Tags"]}]
    volume = world.entries["acme"]["web"]["volume"]
    world.cloud.client("ec2").create_snapshot(VolumeId=volume, TagSpecifications=specification)
    place, key = world.vault.documents, world.files(TODAY)[0].replace("full-01", "full-99")
    world.storage.client().put_object(Bucket=place.bucket, Key=place.prefix + key, Body=b"half")


def test_extra_snapshots_and_files_of_the_same_point_are_swept(world: World) -> None:
    for step in chain_before(CLOSE):
        world.run(step, TODAY)
    add_extras(world)
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


@pytest.mark.parametrize(
    ("server", "action", "message", "right"),
    [
        ("cloud", "ec2:DeleteSnapshot", "an extra snapshot .* could not be deleted", "delete snapshots"),
        ("storage", "s3:DeleteObject", "an extra backup file .* could not be deleted", "s3:DeleteObjectVersion"),
    ],
)
def test_an_extra_that_could_not_be_swept_is_swept_the_next_time(
    world: World, server: str, action: str, message: str, right: str
) -> None:
    for step in chain_before(CLOSE):
        world.run(step, TODAY)
    add_extras(world)
    faults = world.cloud.faults if server == "cloud" else world.storage.faults
    faults.add(action, code="AccessDenied", status=403)
    with pytest.raises(UnavailableError, match=rf"acme is verified, but {message}.*AccessDenied.*{right}"):
        world.run(CLOSE, TODAY)
    assert world.lease("acme").owner is None
    world.back_up(TODAY)
    assert_one_of_each(world, TODAY)
