"""Limits of the lab's cloud: how often a volume may be snapshotted, how fast calls may come, what is seen at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab.cloud.throttle import Bucket, Rate, parse_rates
from lab.testing.cloud import LabCloud
from lab.testing.deadlines import pace
from lab.testing.server import new_settings

INTERVAL_SECONDS, LAG_SECONDS = 1.5 * pace(), 1.0 * pace()


@pytest.fixture(scope="module")
def strict_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabCloud]:
    """A cloud with limits that a careless client meets at once."""
    cloud = LabCloud(
        new_settings(tmp_path_factory.mktemp("strict-cloud")),
        snapshot_interval_seconds=str(INTERVAL_SECONDS),
        lag_seconds=str(LAG_SECONDS),
        rates="ec2:DescribeRegions=3:1 ssm:ListCommands=1:1",
    )
    cloud.start()
    yield cloud
    cloud.stop()


@pytest.mark.lab
def test_a_volume_asked_again_too_soon_is_refused_and_another_is_not(strict_cloud: LabCloud) -> None:
    ec2, volume = strict_cloud.client("ec2"), strict_cloud.make_volume()
    ec2.create_snapshot(VolumeId=volume)
    with pytest.raises(ClientError, match=r"SnapshotCreationPerVolumeRateExceeded.*per volume CreateSnapshot"):
        ec2.create_snapshot(VolumeId=volume)
    ec2.create_snapshot(VolumeId=strict_cloud.make_volume())
    time.sleep(INTERVAL_SECONDS)
    ec2.create_snapshot(VolumeId=volume)


@pytest.mark.lab
def test_look_ups_lag_behind_creation(strict_cloud: LabCloud) -> None:
    ec2, volume = strict_cloud.client("ec2"), strict_cloud.make_volume()
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    query = [{"Name": "volume-id", "Values": [volume]}]
    assert ec2.describe_snapshots(OwnerIds=["self"], Filters=query)["Snapshots"] == []
    assert ec2.describe_volumes(Filters=query)["Volumes"] == []
    with pytest.raises(ClientError, match=r"InvalidSnapshot\.NotFound"):
        ec2.describe_snapshots(SnapshotIds=[snapshot])
    time.sleep(LAG_SECONDS)
    assert [one["SnapshotId"] for one in ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]] == [snapshot]
    assert len(ec2.describe_volumes(Filters=query)["Volumes"]) == 1


@pytest.mark.lab
def test_one_look_up_does_not_see_the_newest_snapshot_when_a_fault_says_so(lab_cloud: LabCloud) -> None:
    ec2, volume = lab_cloud.client("ec2"), lab_cloud.make_volume()
    lab_cloud.make_snapshot(volume)
    lab_cloud.add_fault("ec2:DescribeSnapshots", lag=60)
    query = [{"Name": "volume-id", "Values": [volume]}]
    assert ec2.describe_snapshots(OwnerIds=["self"], Filters=query)["Snapshots"] == []
    assert len(ec2.describe_snapshots(OwnerIds=["self"], Filters=query)["Snapshots"]) == 1


@pytest.mark.lab
def test_a_careless_client_is_throttled_and_a_patient_one_is_not(strict_cloud: LabCloud) -> None:
    with pytest.raises(ClientError, match="RequestLimitExceeded") as refused:
        _hurry(strict_cloud.client("ec2").describe_regions)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    patient = strict_cloud.client("ec2", attempts=8)
    for _ in range(2):
        patient.describe_regions()


@pytest.mark.lab
def test_ssm_throttles_in_its_own_words(strict_cloud: LabCloud) -> None:
    with pytest.raises(ClientError, match=r"ThrottlingException.*Rate exceeded"):
        _hurry(strict_cloud.client("ssm").list_commands)


@pytest.mark.lab
def test_an_encrypted_volume_survives_a_kill(lab_cloud: LabCloud) -> None:
    made = lab_cloud.client("ec2").create_volume(AvailabilityZone="eu-central-1a", Size=1, Encrypted=True)
    assert made["Encrypted"]
    snapshot = lab_cloud.make_snapshot(made["VolumeId"])
    lab_cloud.kill()
    lab_cloud.start()
    found = lab_cloud.client("ec2").describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]
    assert (found["Encrypted"], found["KmsKeyId"]) == (True, made["KmsKeyId"])


@pytest.mark.lab
def test_a_snapshot_that_an_image_uses_cannot_be_deleted(lab_cloud: LabCloud) -> None:
    ec2 = lab_cloud.client("ec2")
    image = ec2.create_image(InstanceId=lab_cloud.make_instance(), Name="golden")["ImageId"]
    mapping = ec2.describe_images(ImageIds=[image])["Images"][0]["BlockDeviceMappings"]
    snapshot = next(found["Ebs"]["SnapshotId"] for found in mapping if "Ebs" in found)
    with pytest.raises(ClientError, match=rf"InvalidSnapshot\.InUse.*currently in use by {image}"):
        ec2.delete_snapshot(SnapshotId=snapshot)
    ec2.deregister_image(ImageId=image)
    ec2.delete_snapshot(SnapshotId=snapshot)


def test_a_bucket_refills_at_its_rate_and_never_beyond_its_size() -> None:
    bucket = Bucket(Rate("ec2:*", burst=2, per_second=10), now=0.0)
    assert [bucket.take(0.0) for _ in range(3)] == [True, True, False]
    assert [bucket.take(0.1), bucket.take(0.1)] == [True, False]
    assert [bucket.take(60.0) for _ in range(3)] == [True, True, False]


def test_a_rate_that_cannot_be_read_is_refused() -> None:
    for text in ("ec2:*", "ec2:*=fast", "ec2:*=0:1", "ec2:*=1:0"):
        with pytest.raises(ValueError, match=r"no rate|refuse every call"):
            parse_rates(text)


def _hurry(call: Callable[[], Any]) -> None:
    for _ in range(30):
        call()
