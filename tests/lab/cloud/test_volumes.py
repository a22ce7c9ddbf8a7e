"""Volumes of the lab's cloud: made, attached, detached, as strictly as AWS does it."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from lab.settings import ZONE
from lab.testing.cloud import LabCloud
from lab.testing.deadlines import pace, within
from lab.testing.server import new_settings
from lab.waiting import wait_until

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def slow_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabCloud]:
    """A cloud whose volumes take long enough to be looked at on their way."""
    cloud = LabCloud(new_settings(tmp_path_factory.mktemp("slow-cloud")), volume_seconds=str(1.5 * pace()))
    cloud.start()
    yield cloud
    cloud.stop()


def test_an_attached_volume_shows_on_its_host_under_its_device_name(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance()
    volume = lab_cloud.make_volume(instance, "/dev/sdf")
    (lab_cloud.volume_path(volume) / "page").write_text("hello")
    assert lab_cloud.run(instance, "cat dev/sdf/page").stdout == "hello"
    lab_cloud.detach(volume)
    assert lab_cloud.run(instance, "cat dev/sdf/page").status == "Failed"


def test_a_host_lists_its_disks_by_the_serial_number_aws_gives_them(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance()
    volume = lab_cloud.make_volume(instance, "/dev/sdf")
    asked = "lsblk --pairs --paths --bytes --noheadings --nodeps --output KNAME,SIZE,SERIAL"
    device = lab_cloud.host_path(instance, "/dev/sdf")
    found = f'KNAME="{device}" SIZE="{8 * 2**30}" SERIAL="{volume.replace("-", "")}"'
    disks = lab_cloud.run(instance, asked).stdout.splitlines()
    assert found in disks
    assert len(disks) == 2  # the boot volume is the other


@pytest.mark.parametrize("device", ["/dev/sdf", "/dev/sdg"])
def test_a_volume_in_use_cannot_be_attached_again(lab_cloud: LabCloud, device: str) -> None:
    instance = lab_cloud.make_instance()
    volume = lab_cloud.make_volume(instance, "/dev/sdf")
    with pytest.raises(ClientError, match="VolumeInUse"):
        lab_cloud.client("ec2").attach_volume(VolumeId=volume, InstanceId=instance, Device=device)


def test_a_device_in_use_takes_no_second_volume(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance()
    lab_cloud.make_volume(instance, "/dev/sdf")
    with pytest.raises(ClientError, match=r"InvalidParameterValue.*already in use"):
        lab_cloud.make_volume(instance, "/dev/sdf")


def test_a_volume_of_another_zone_cannot_be_attached(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance(ZONE)
    with pytest.raises(ClientError, match=r"InvalidVolume\.ZoneMismatch"):
        lab_cloud.make_volume(instance, zone="eu-central-1b")


def test_a_terminated_host_takes_no_volume_and_gives_back_those_it_had(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance()
    volume = lab_cloud.make_volume(instance, mount="/srv/acme")
    lab_cloud.client("ec2").terminate_instances(InstanceIds=[instance])
    assert lab_cloud.volume_state(volume) == ("available", None)
    assert not lab_cloud.host_path(instance).exists()
    with pytest.raises(ClientError, match="IncorrectState"):
        lab_cloud.make_volume(instance)


def test_a_volume_in_use_cannot_be_deleted_and_a_free_one_leaves_nothing(lab_cloud: LabCloud) -> None:
    ec2, volume = lab_cloud.client("ec2"), lab_cloud.make_volume(lab_cloud.make_instance())
    with pytest.raises(ClientError, match="VolumeInUse"):
        ec2.delete_volume(VolumeId=volume)
    lab_cloud.detach(volume)
    ec2.delete_volume(VolumeId=volume)
    assert not lab_cloud.volume_path(volume).exists()
    with pytest.raises(ClientError, match=r"InvalidVolume\.NotFound"):
        ec2.detach_volume(VolumeId=volume)


def test_a_volume_smaller_than_its_snapshot_is_refused(lab_cloud: LabCloud) -> None:
    snapshot = lab_cloud.make_snapshot(lab_cloud.make_volume())
    with pytest.raises(ClientError, match=r"InvalidParameterValue.*smaller than snapshot"):
        lab_cloud.client("ec2").create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot, Size=4)


def test_a_mounted_volume_stays_busy_until_it_is_unmounted(lab_cloud: LabCloud) -> None:
    ec2, instance = lab_cloud.client("ec2"), lab_cloud.make_instance()
    volume = lab_cloud.make_volume(instance, mount="/mnt/old")
    ec2.detach_volume(VolumeId=volume)
    lab_cloud.await_volume(volume, "in-use", "busy")
    with pytest.raises(ClientError, match="VolumeInUse"):
        ec2.delete_volume(VolumeId=volume)
    assert lab_cloud.run(instance, f"umount {lab_cloud.host_path(instance, '/mnt/old')}").status == "Success"
    assert lab_cloud.volume_state(volume) == ("available", None)


def test_force_takes_a_mounted_volume_away(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance()
    volume = lab_cloud.make_volume(instance, mount="/mnt/old")
    lab_cloud.detach(volume, Force=True)
    assert list(lab_cloud.host_path(instance, "/mnt/old").iterdir()) == []


def test_a_stopped_host_holds_no_mounts(lab_cloud: LabCloud) -> None:
    ec2, instance = lab_cloud.client("ec2"), lab_cloud.make_instance()
    volume = lab_cloud.make_volume(instance, mount="/srv/acme")
    ec2.stop_instances(InstanceIds=[instance])
    lab_cloud.detach(volume)


def test_a_volume_is_neither_attached_nor_deleted_while_it_is_made(slow_cloud: LabCloud) -> None:
    ec2, instance = slow_cloud.client("ec2"), slow_cloud.make_instance()
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=8)["VolumeId"]
    assert slow_cloud.volume_state(volume) == ("creating", None)
    with pytest.raises(ClientError, match=rf"IncorrectState.*{volume} is not 'available'"):
        ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")
    with pytest.raises(ClientError, match=r"IncorrectState.*'creating'"):
        ec2.delete_volume(VolumeId=volume)
    slow_cloud.await_volume(volume, "available")
    ec2.delete_volume(VolumeId=volume)


def test_a_device_shows_when_its_volume_is_attached_and_not_before(slow_cloud: LabCloud) -> None:
    ec2, instance = slow_cloud.client("ec2"), slow_cloud.make_instance()
    volume = ec2.create_volume(AvailabilityZone=ZONE, Size=8)["VolumeId"]
    slow_cloud.await_volume(volume, "available")
    device = slow_cloud.host_path(instance, "/dev/sdf")
    assert ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdf")["State"] == "attaching"
    assert slow_cloud.volume_state(volume) == ("in-use", "attaching")
    assert not device.exists()
    wait_until(device.exists, within(10), "The device never showed, though nobody asked EC2 again.")
    assert slow_cloud.volume_state(volume) == ("in-use", "attached")


def test_a_volume_that_is_detaching_is_in_use_until_it_is_off(slow_cloud: LabCloud) -> None:
    ec2, instance = slow_cloud.client("ec2"), slow_cloud.make_instance()
    volume = slow_cloud.make_volume(instance)
    assert ec2.detach_volume(VolumeId=volume)["State"] == "detaching"
    assert slow_cloud.volume_state(volume) == ("in-use", "detaching")
    with pytest.raises(ClientError, match="VolumeInUse"):
        ec2.delete_volume(VolumeId=volume)
    slow_cloud.await_volume(volume, "available")
    assert not slow_cloud.host_path(instance, "/dev/sdf").exists()


def test_attaching_and_detaching_come_to_their_end_though_the_lab_is_killed(slow_cloud: LabCloud) -> None:
    ec2, instance = slow_cloud.client("ec2"), slow_cloud.make_instance()
    going, coming = slow_cloud.make_volume(instance, "/dev/sdf"), slow_cloud.make_volume()
    slow_cloud.await_volume(coming, "available")
    ec2.detach_volume(VolumeId=going)
    ec2.attach_volume(VolumeId=coming, InstanceId=instance, Device="/dev/sdg")
    slow_cloud.kill()
    slow_cloud.start()
    assert not slow_cloud.host_path(instance, "/dev/sdf").exists()
    assert slow_cloud.host_path(instance, "/dev/sdg").exists()
    assert (slow_cloud.volume_state(going), slow_cloud.volume_state(coming)) == (
        ("available", None),
        ("in-use", "attached"),
    )


def test_volumes_come_in_pages(lab_cloud: LabCloud) -> None:
    ec2, mark = lab_cloud.client("ec2"), uuid4().hex
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "mark", "Value": mark}]}]
    made = [ec2.create_volume(AvailabilityZone=ZONE, Size=1, TagSpecifications=tags)["VolumeId"] for _ in range(6)]
    query = {"Filters": [{"Name": "tag:mark", "Values": [mark]}], "MaxResults": 5}
    first = ec2.describe_volumes(**query)
    second = ec2.describe_volumes(**query, NextToken=first["NextToken"])
    assert [len(first["Volumes"]), len(second["Volumes"])] == [5, 1]
    assert {one["VolumeId"] for page in (first, second) for one in page["Volumes"]} == set(made)
    assert "NextToken" not in second
    with pytest.raises(ClientError, match=r"InvalidParameterCombination.*volumeSet"):
        ec2.describe_volumes(VolumeIds=made, MaxResults=5)
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        ec2.describe_volumes(MaxResults=4)
