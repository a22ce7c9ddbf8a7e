"""What Perennial relies on in EC2, asked of the lab and of a real account: the lab's reading of the docs on trial."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.real.conftest import Ec2

pytestmark = pytest.mark.lab

WAIT = {"Delay": 5, "MaxAttempts": 120}


@pytest.fixture
def snapshot(ec2: Ec2) -> Iterator[tuple[str, str]]:
    """A completed snapshot of the test's volume and its tag; deleted afterwards."""
    mark = uuid4().hex
    # The second tag is what docs/iam-policy.json asks of whatever may be made and deleted.
    named = [{"Key": "perennial:test", "Value": mark}, {"Key": "perennial:vault", "Value": "s3://perennial-test"}]
    tags = [{"ResourceType": "snapshot", "Tags": named}]
    made: str = ec2.client.create_snapshot(VolumeId=ec2.volume, TagSpecifications=tags)["SnapshotId"]
    ec2.client.get_waiter("snapshot_completed").wait(SnapshotIds=[made], WaiterConfig=WAIT)
    yield made, mark
    ec2.client.delete_snapshot(SnapshotId=made)


def test_a_snapshot_is_found_by_its_tag_and_shows_its_volume(ec2: Ec2, snapshot: tuple[str, str]) -> None:
    made, mark = snapshot
    pages = ec2.client.get_paginator("describe_snapshots").paginate(
        OwnerIds=["self"],
        Filters=[{"Name": "tag:perennial:test", "Values": [mark]}],
        PaginationConfig={"PageSize": 1000},
    )
    found = [one for page in pages for one in page["Snapshots"]]
    assert [(one["SnapshotId"], one["VolumeId"], one["State"]) for one in found] == [(made, ec2.volume, "completed")]


def test_unknown_ids_are_left_out_by_a_filter_and_refused_by_name(ec2: Ec2, snapshot: tuple[str, str]) -> None:
    ids = [snapshot[0], "snap-0123456789abcdef0"]
    found = ec2.client.describe_snapshots(OwnerIds=["self"], Filters=[{"Name": "snapshot-id", "Values": ids}])
    assert [one["SnapshotId"] for one in found["Snapshots"]] == ids[:1]
    with pytest.raises(ClientError, match=r"InvalidSnapshot\.NotFound"):
        ec2.client.describe_snapshots(SnapshotIds=ids)


def test_a_governance_lock_keeps_a_snapshot_until_it_is_taken_off(ec2: Ec2, snapshot: tuple[str, str]) -> None:
    assert ec2.client.describe_locked_snapshots(SnapshotIds=[snapshot[0]])["Snapshots"] == []
    ec2.client.lock_snapshot(SnapshotId=snapshot[0], LockMode="governance", LockDuration=1)
    try:
        with pytest.raises(ClientError):  # the docs do not name the code
            ec2.client.delete_snapshot(SnapshotId=snapshot[0])
        locked = ec2.client.describe_locked_snapshots(SnapshotIds=[snapshot[0]])["Snapshots"]
        assert [one["LockState"] for one in locked] == ["governance"]
    finally:
        ec2.client.unlock_snapshot(SnapshotId=snapshot[0])
