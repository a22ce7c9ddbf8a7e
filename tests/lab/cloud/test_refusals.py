"""Calls that AWS refuses for their parameters, and the lab's cloud too: before it makes anything."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from lab.cloud.devices import is_device_name, place
from lab.cloud.tags import LONGEST_KEY, LONGEST_VALUE, MOST_TAGS
from lab.settings import ZONE
from lab.testing.cloud import LabCloud

Tags = list[dict[str, str]]

BAD_TAGS: dict[str, Tags] = {
    "TagLimitExceeded": [{"Key": f"key-{number}", "Value": ""} for number in range(MOST_TAGS + 1)],
    "reserved for internal use": [{"Key": "aws:cloudformation:stack-name", "Value": "web"}],
    "Duplicate tag key 'Name'": [{"Key": "Name", "Value": "one"}, {"Key": "Name", "Value": "two"}],
    "Tag key exceeds": [{"Key": "k" * (LONGEST_KEY + 1), "Value": ""}],
    "Tag value exceeds": [{"Key": "Name", "Value": "v" * (LONGEST_VALUE + 1)}],
    "must have at least one tag": [],
}


@pytest.mark.lab
@pytest.mark.parametrize("complaint", BAD_TAGS)
def test_a_snapshot_refused_for_its_tags_is_not_made(lab_cloud: LabCloud, complaint: str) -> None:
    ec2, volume = lab_cloud.client("ec2"), lab_cloud.make_volume()
    with pytest.raises(ClientError, match=complaint):
        ec2.create_snapshot(VolumeId=volume, TagSpecifications=_for("snapshot", BAD_TAGS[complaint]))
    assert _snapshots_of(lab_cloud, volume) == []


@pytest.mark.lab
def test_a_volume_refused_for_its_tags_is_not_made(lab_cloud: LabCloud) -> None:
    ec2 = lab_cloud.client("ec2")
    snapshot = lab_cloud.make_snapshot(lab_cloud.make_volume())
    tags = BAD_TAGS["TagLimitExceeded"]
    with pytest.raises(ClientError, match="TagLimitExceeded"):
        ec2.create_volume(SnapshotId=snapshot, AvailabilityZone=ZONE, TagSpecifications=_for("volume", tags))
    assert ec2.describe_volumes(Filters=[{"Name": "snapshot-id", "Values": [snapshot]}])["Volumes"] == []


@pytest.mark.lab
def test_only_what_a_call_makes_can_be_tagged_by_it(lab_cloud: LabCloud) -> None:
    ec2, volume = lab_cloud.client("ec2"), lab_cloud.make_volume()
    tags = [{"Key": "Name", "Value": "acme"}]
    with pytest.raises(ClientError, match="'volume' is not a valid taggable resource type for this operation"):
        ec2.create_snapshot(VolumeId=volume, TagSpecifications=_for("volume", tags))
    with pytest.raises(ClientError, match="same resource type may not be specified more than once"):
        ec2.create_snapshot(VolumeId=volume, TagSpecifications=_for("snapshot", tags) * 2)
    with pytest.raises(ClientError, match="'snapshot' is not a valid taggable resource type for this operation"):
        ec2.create_volume(AvailabilityZone=ZONE, Size=1, TagSpecifications=_for("snapshot", tags))
    assert _snapshots_of(lab_cloud, volume) == []


@pytest.mark.lab
def test_tags_added_later_keep_the_same_limits(lab_cloud: LabCloud) -> None:
    ec2, volume = lab_cloud.client("ec2"), lab_cloud.make_volume()
    with pytest.raises(ClientError, match="reserved for internal use"):
        ec2.create_tags(Resources=[volume], Tags=BAD_TAGS["reserved for internal use"])
    longest = {"Key": "k" * LONGEST_KEY, "Value": "v" * LONGEST_VALUE}
    ec2.create_tags(Resources=[volume], Tags=[longest, {"Key": "flag"}])
    found = ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Tags"]
    assert found == [longest, {"Key": "flag", "Value": ""}]


@pytest.mark.lab
def test_a_long_description_is_refused(lab_cloud: LabCloud) -> None:
    ec2, volume = lab_cloud.client("ec2"), lab_cloud.make_volume()
    with pytest.raises(ClientError, match=r"InvalidParameterValue.*description is invalid. It exceeds 255 characters"):
        ec2.create_snapshot(VolumeId=volume, Description="d" * 256)
    ec2.create_snapshot(VolumeId=volume, Description="d" * 255)
    assert len(_snapshots_of(lab_cloud, volume)) == 1


@pytest.mark.lab
def test_a_call_takes_200_filter_values_and_no_more(lab_cloud: LabCloud) -> None:
    ec2 = lab_cloud.client("ec2")
    ids = [f"snap-{number:017x}" for number in range(200)]
    query = [{"Name": "snapshot-id", "Values": ids}]
    assert ec2.describe_snapshots(Filters=query)["Snapshots"] == []
    with pytest.raises(ClientError, match=r"FilterLimitExceeded.*200"):
        ec2.describe_snapshots(Filters=[*query, {"Name": "status", "Values": ["pending"]}])
    with pytest.raises(ClientError, match=r"FilterLimitExceeded.*255 characters"):
        ec2.describe_volumes(Filters=[{"Name": "tag:Name", "Values": ["v" * 256]}])


BAD_VOLUMES: dict[str, dict[str, Any]] = {
    "InvalidZone.NotFound.*The zone 'eu-central-1x' does not exist": {"AvailabilityZone": "eu-central-1x"},
    "InvalidZone.NotFound.*The zone 'eu-west-1a'": {"AvailabilityZone": "eu-west-1a"},
    "UnknownVolumeType.*gp9": {"VolumeType": "gp9"},
    "invalid for gp2 volumes: 0 GiB. gp2 volumes must be at least 1 GiB": {"Size": 0},
    "st1 volumes must be at least 125 GiB": {"VolumeType": "st1"},
    "gp3 volumes must be at most 65536 GiB": {"VolumeType": "gp3", "Size": 65_537},
    "clientToken is invalid. It exceeds 64": {"ClientToken": "t" * 65},
}


@pytest.mark.lab
@pytest.mark.parametrize("complaint", BAD_VOLUMES)
def test_a_volume_that_cannot_be_is_refused(lab_cloud: LabCloud, complaint: str) -> None:
    with pytest.raises(ClientError, match=complaint):
        lab_cloud.client("ec2").create_volume(**{"AvailabilityZone": ZONE, "Size": 8, **BAD_VOLUMES[complaint]})


@pytest.mark.lab
def test_a_volume_without_a_zone_or_a_size_is_refused(lab_cloud: LabCloud) -> None:
    ec2 = lab_cloud.client("ec2")
    with pytest.raises(ClientError, match=r"MissingParameter.*zone"):
        ec2.create_volume(Size=8)
    with pytest.raises(ClientError, match=r"MissingParameter.*size/snapshot"):
        ec2.create_volume(AvailabilityZone=ZONE)


@pytest.mark.lab
def test_the_same_client_token_makes_one_volume_though_that_is_deleted(lab_cloud: LabCloud) -> None:
    ec2 = lab_cloud.client("ec2")
    asked = {"AvailabilityZone": ZONE, "Size": 8, "ClientToken": uuid4().hex}
    volume = ec2.create_volume(**asked)["VolumeId"]
    assert ec2.create_volume(**asked)["VolumeId"] == volume
    lab_cloud.await_volume(volume, "available")
    ec2.delete_volume(VolumeId=volume)
    assert ec2.create_volume(**asked)["VolumeId"] == volume
    with pytest.raises(ClientError, match=r"InvalidVolume\.NotFound"):
        ec2.describe_volumes(VolumeIds=[volume])


@pytest.mark.lab
def test_a_client_token_cannot_come_back_with_another_wish(lab_cloud: LabCloud) -> None:
    ec2 = lab_cloud.client("ec2")
    asked = {"AvailabilityZone": ZONE, "Size": 8, "ClientToken": uuid4().hex}
    ec2.create_volume(**asked)
    for other in ({"Size": 9}, {"TagSpecifications": _for("volume", [{"Key": "Name", "Value": "acme"}])}):
        with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
            ec2.create_volume(**{**asked, **other})


@pytest.mark.lab
@pytest.mark.parametrize("device", ["foo", "sdf", "/dev/../x", "/dev/sdf1", "/dev/xvdeo", "/dev/nvme1n1", ""])
def test_a_device_name_that_ec2_does_not_know_is_refused(lab_cloud: LabCloud, device: str) -> None:
    ec2, instance, volume = lab_cloud.client("ec2"), lab_cloud.make_instance(), lab_cloud.make_volume()
    lab_cloud.await_volume(volume, "available")
    with pytest.raises(ClientError, match=r"InvalidParameterValue.*is not a valid EBS device name"):
        ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device=device)


@pytest.mark.lab
def test_one_place_has_several_names_and_takes_one_volume(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance()
    lab_cloud.make_volume(instance, "/dev/sdf")
    for device in ("/dev/xvdf", "xvdf"):
        with pytest.raises(ClientError, match=r"InvalidParameterValue.*already in use"):
            lab_cloud.make_volume(instance, device)
    lab_cloud.make_volume(instance, "xvdg")


def test_windows_hosts_have_device_names_of_their_own() -> None:
    assert is_device_name("xvdf", "windows")
    assert is_device_name("xvdca", "windows")
    assert not is_device_name("/dev/sdf", "windows")
    assert is_device_name("/dev/sdf", None)
    assert {place(name) for name in ("/dev/sda1", "/dev/xvda", "/dev/sda")} == {"a"}


def _for(resource_type: str, tags: Tags) -> list[dict[str, Any]]:
    return [{"ResourceType": resource_type, "Tags": tags}]


def _snapshots_of(cloud: LabCloud, volume: str) -> list[str]:
    query = [{"Name": "volume-id", "Values": [volume]}]
    found = cloud.client("ec2").describe_snapshots(OwnerIds=["self"], Filters=query)["Snapshots"]
    return [one["SnapshotId"] for one in found]
