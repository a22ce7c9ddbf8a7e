"""Snapshots of the lab's cloud: what they keep, how they complete, how they are listed."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError, WaiterError

from lab.settings import REGION, ZONE
from lab.testing.cloud import LabCloud

pytestmark = pytest.mark.lab


def test_a_snapshot_keeps_the_bytes_of_the_moment_it_was_asked_for(lab_cloud: LabCloud) -> None:
    volume = lab_cloud.make_volume()
    page = lab_cloud.volume_path(volume) / "index.html"
    page.write_text("before")
    snapshot = lab_cloud.make_snapshot(volume, completed=False)
    page.write_text("after")
    restored = _restore(lab_cloud, snapshot)
    assert (lab_cloud.volume_path(restored) / "index.html").read_text() == "before"
    assert page.read_text() == "after"


def test_a_snapshot_keeps_modes_times_and_links(lab_cloud: LabCloud) -> None:
    volume = lab_cloud.make_volume()
    script = lab_cloud.volume_path(volume) / "bin" / "deploy"
    script.parent.mkdir()
    script.write_bytes(b"\x00\xff")
    script.chmod(0o751)
    (script.parent / "link").symlink_to("deploy")
    restored = lab_cloud.volume_path(_restore(lab_cloud, lab_cloud.make_snapshot(volume))) / "bin"
    found, made = (restored / "deploy").stat(), script.stat()
    assert (found.st_mode, found.st_mtime_ns, found.st_size) == (made.st_mode, made.st_mtime_ns, made.st_size)
    assert (restored / "link").readlink().name == "deploy"


def test_a_snapshot_is_pending_until_its_time_has_come(lab_cloud: LabCloud) -> None:
    ec2, volume = lab_cloud.client("ec2"), lab_cloud.make_volume()
    answer = ec2.create_snapshot(VolumeId=volume, Description="nightly")
    assert answer["State"] == "pending"
    assert answer["Progress"] != "100%"
    lab_cloud.set_snapshot_state(answer["SnapshotId"], "pending")
    with pytest.raises(ClientError, match=r"IncorrectState.*pending"):
        ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=answer["SnapshotId"])
    lab_cloud.set_snapshot_state(answer["SnapshotId"], "completed")
    found = ec2.describe_snapshots(SnapshotIds=[answer["SnapshotId"]])["Snapshots"][0]
    assert (found["State"], found["Progress"], found["Description"]) == ("completed", "100%", "nightly")


def test_a_failed_snapshot_says_so_and_ends_the_wait(lab_cloud: LabCloud) -> None:
    ec2 = lab_cloud.client("ec2")
    snapshot = lab_cloud.make_snapshot(lab_cloud.make_volume(), completed=False)
    lab_cloud.set_snapshot_state(snapshot, "error")
    with pytest.raises(WaiterError, match="terminal failure"):
        ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot])
    found = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]
    assert found["StateMessage"] == "The lab was told to let this snapshot fail."


def test_one_volume_has_at_most_five_pending_snapshots(lab_cloud: LabCloud) -> None:
    volume = lab_cloud.make_volume()
    for _ in range(5):
        lab_cloud.set_snapshot_state(lab_cloud.make_snapshot(volume, completed=False), "pending")
    with pytest.raises(ClientError, match="ConcurrentSnapshotLimitExceeded"):
        lab_cloud.make_snapshot(volume)


def test_deleting_a_snapshot_frees_its_space_and_its_id(lab_cloud: LabCloud) -> None:
    ec2 = lab_cloud.client("ec2")
    snapshot = lab_cloud.make_snapshot(lab_cloud.make_volume())
    ec2.delete_snapshot(SnapshotId=snapshot)
    assert not lab_cloud.snapshot_path(snapshot).exists()
    for call in (ec2.delete_snapshot, lambda SnapshotId: ec2.describe_snapshots(SnapshotIds=[SnapshotId])):  # noqa: N803
        with pytest.raises(ClientError, match=rf"InvalidSnapshot.NotFound.*'{snapshot}' does not exist"):
            call(SnapshotId=snapshot)


def test_what_perennial_never_asks_is_refused_and_not_done_by_halves(lab_cloud: LabCloud) -> None:
    ec2, instance = lab_cloud.client("ec2"), lab_cloud.make_instance()
    snapshot = lab_cloud.make_snapshot(lab_cloud.make_volume(instance))
    with pytest.raises(ClientError, match=r"UnsupportedOperation.*CopySnapshot"):
        ec2.copy_snapshot(SourceRegion=REGION, SourceSnapshotId=snapshot)
    with pytest.raises(ClientError, match=r"UnsupportedOperation.*CreateSnapshots"):
        ec2.create_snapshots(InstanceSpecification={"InstanceId": instance})


def test_pages_show_every_snapshot_once_though_some_are_deleted_meanwhile(lab_cloud: LabCloud) -> None:
    ec2, mark, volume = lab_cloud.client("ec2"), uuid4().hex, lab_cloud.make_volume()
    tags = [{"ResourceType": "snapshot", "Tags": [{"Key": "mark", "Value": mark}, {"Key": "n", "Value": "1"}]}]
    made = []
    for _ in range(12):
        made.append(ec2.create_snapshot(VolumeId=volume, TagSpecifications=tags)["SnapshotId"])
        lab_cloud.set_snapshot_state(made[-1], "completed")
    query = {"OwnerIds": ["self"], "Filters": [{"Name": "tag:mark", "Values": [mark]}], "MaxResults": 5}
    first = ec2.describe_snapshots(**query)
    seen = [found["SnapshotId"] for found in first["Snapshots"]]
    for snapshot in seen:
        ec2.delete_snapshot(SnapshotId=snapshot)
    second = ec2.describe_snapshots(**query, NextToken=first["NextToken"])
    third = ec2.describe_snapshots(**query, NextToken=second["NextToken"])
    seen += [found["SnapshotId"] for found in second["Snapshots"] + third["Snapshots"]]
    assert "NextToken" not in third
    assert sorted(seen) == sorted(made)
    assert {tag["Key"]: tag["Value"] for tag in third["Snapshots"][0]["Tags"]} == {"mark": mark, "n": "1"}


def test_listing_refuses_what_aws_refuses(lab_cloud: LabCloud) -> None:
    ec2 = lab_cloud.client("ec2")
    snapshot = lab_cloud.make_snapshot(lab_cloud.make_volume(), completed=False)
    refusals: dict[str, dict[str, Any]] = {
        "InvalidParameterCombination": {"SnapshotIds": [snapshot], "MaxResults": 5},
        "InvalidParameterValue": {"MaxResults": 4},
        "InvalidSnapshot.NotFound": {"SnapshotIds": [snapshot, "snap-0123456789abcdef0"]},
    }
    for code, query in refusals.items():
        with pytest.raises(ClientError, match=code):
            ec2.describe_snapshots(**query)
    with pytest.raises(ClientError, match=r"InvalidParameterValue.*token"):
        ec2.describe_snapshots(MaxResults=5, NextToken="made up")
    others = ec2.describe_snapshots(OwnerIds=["999999999999"], Filters=[{"Name": "snapshot-id", "Values": [snapshot]}])
    assert others["Snapshots"] == []


def _restore(cloud: LabCloud, snapshot: str) -> str:
    """A volume made from a snapshot as soon as that is completed."""
    ec2 = cloud.client("ec2")
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 0.1, "MaxAttempts": 200})
    volume: str = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot)["VolumeId"]
    return volume
