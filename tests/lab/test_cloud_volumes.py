"""Volumes of the lab's cloud: made, attached, detached, as strictly as AWS does it."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from lab.settings import ZONE
from tests.support.cloud import LabCloud

pytestmark = pytest.mark.lab


def test_an_attached_volume_shows_on_its_host_under_its_device_name(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance()
    volume = lab_cloud.make_volume(instance, "/dev/sdf")
    (lab_cloud.volume_path(volume) / "page").write_text("hello")
    assert lab_cloud.run(instance, "cat dev/sdf/page").stdout == "hello"
    lab_cloud.client("ec2").detach_volume(VolumeId=volume)
    assert lab_cloud.run(instance, "cat dev/sdf/page").status == "Failed"
    assert _state(lab_cloud, volume) == ("available", None)


def test_a_host_lists_its_disks_by_the_serial_number_aws_gives_them(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance()
    volume = lab_cloud.make_volume(instance, "/dev/sdf")
    listed = lab_cloud.run(instance, "lsblk --nodeps --noheadings --output PATH,SERIAL").stdout
    disks = {serial: path for path, serial in (line.split() for line in listed.splitlines())}
    assert disks[volume.replace("-", "")] == str(lab_cloud.host_path(instance, "/dev/sdf"))
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
    assert _state(lab_cloud, volume) == ("available", None)
    assert not lab_cloud.host_path(instance).exists()
    with pytest.raises(ClientError, match="IncorrectState"):
        lab_cloud.make_volume(instance)


def test_a_volume_in_use_cannot_be_deleted_and_a_free_one_leaves_nothing(lab_cloud: LabCloud) -> None:
    ec2, volume = lab_cloud.client("ec2"), lab_cloud.make_volume(lab_cloud.make_instance())
    with pytest.raises(ClientError, match="VolumeInUse"):
        ec2.delete_volume(VolumeId=volume)
    ec2.detach_volume(VolumeId=volume)
    ec2.delete_volume(VolumeId=volume)
    assert not lab_cloud.volume_path(volume).exists()
    with pytest.raises(ClientError, match=r"InvalidVolume\.NotFound"):
        ec2.detach_volume(VolumeId=volume)


def test_a_volume_smaller_than_its_snapshot_is_refused(lab_cloud: LabCloud) -> None:
    snapshot = lab_cloud.make_snapshot(lab_cloud.make_volume())
    with pytest.raises(ClientError, match=r"InvalidParameterValue.*smaller than snapshot"):
        lab_cloud.client("ec2").create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot, Size=4)


def test_the_same_client_token_makes_one_volume(lab_cloud: LabCloud) -> None:
    ec2 = lab_cloud.client("ec2")
    asked = {"AvailabilityZone": ZONE, "Size": 8, "ClientToken": "restore-acme-1"}
    assert ec2.create_volume(**asked)["VolumeId"] == ec2.create_volume(**asked)["VolumeId"]


def test_a_mounted_volume_stays_busy_until_it_is_unmounted(lab_cloud: LabCloud) -> None:
    ec2, instance = lab_cloud.client("ec2"), lab_cloud.make_instance()
    volume = lab_cloud.make_volume(instance, mount="/mnt/old")
    ec2.detach_volume(VolumeId=volume)
    assert _state(lab_cloud, volume) == ("in-use", "busy")
    with pytest.raises(ClientError, match="VolumeInUse"):
        ec2.delete_volume(VolumeId=volume)
    assert lab_cloud.run(instance, f"umount {lab_cloud.host_path(instance, '/mnt/old')}").status == "Success"
    assert _state(lab_cloud, volume) == ("available", None)


def test_force_takes_a_mounted_volume_away(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance()
    volume = lab_cloud.make_volume(instance, mount="/mnt/old")
    lab_cloud.client("ec2").detach_volume(VolumeId=volume, Force=True)
    assert _state(lab_cloud, volume) == ("available", None)
    assert list(lab_cloud.host_path(instance, "/mnt/old").iterdir()) == []


def test_a_stopped_host_holds_no_mounts(lab_cloud: LabCloud) -> None:
    ec2, instance = lab_cloud.client("ec2"), lab_cloud.make_instance()
    volume = lab_cloud.make_volume(instance, mount="/srv/acme")
    ec2.stop_instances(InstanceIds=[instance])
    ec2.detach_volume(VolumeId=volume)
    assert _state(lab_cloud, volume) == ("available", None)


def _state(cloud: LabCloud, volume: str) -> tuple[str, str | None]:
    """A volume's state and that of its attachment, if it has one."""
    found = cloud.client("ec2").describe_volumes(VolumeIds=[volume])["Volumes"][0]
    return found["State"], next((attachment["State"] for attachment in found["Attachments"]), None)
