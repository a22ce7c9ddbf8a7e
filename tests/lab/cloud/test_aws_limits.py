"""AWS's own limits: switched on as a whole or one by one while the cloud runs, and how many calls it has had."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab.cloud.limits import AWS, LAB, named
from lab.cloud.throttle import looks_for_everything, parse_rates
from lab.faults.calls import Call
from lab.faults.measures import CALLS, LabMeasures
from lab.testing.cloud import LabCloud
from lab.testing.server import new_settings
from lab.testing.storage import LabStorage


@pytest.fixture(scope="module")
def slow_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabCloud]:
    """A cloud whose snapshots stay pending until they are let go."""
    with LabCloud(new_settings(tmp_path_factory.mktemp("slow-cloud")), snapshot_seconds=3600) as cloud:
        yield cloud


@pytest.fixture
def measures(slow_cloud: LabCloud) -> Iterator[LabMeasures]:
    measures = LabMeasures(slow_cloud.settings)
    before = measures.limits()
    yield measures
    measures.set_limits(**before)


def snapshot(cloud: LabCloud, volume: str) -> str:
    made: str = cloud.client("ec2").create_snapshot(VolumeId=volume)["SnapshotId"]
    return made


def refusal(cloud: LabCloud, volume: str) -> str:
    with pytest.raises(ClientError) as refused:
        snapshot(cloud, volume)
    return str(refused.value.response["Error"]["Code"])


def hurry(call: Any, times: int) -> int:
    """How many of so many calls went through before the first that was refused."""
    for number in range(times):
        try:
            call()
        except ClientError as error:
            if error.response["Error"]["Code"] != "RequestLimitExceeded":
                raise
            return number
    return times


@pytest.mark.lab
def test_aws_lets_a_volume_be_snapshotted_once_in_fifteen_seconds(slow_cloud: LabCloud, measures: LabMeasures) -> None:
    measures.set_limits("aws")
    assert measures.limits()["snapshot_interval_seconds"] == 15
    volume, other = slow_cloud.make_volume(), slow_cloud.make_volume()
    slow_cloud.client("ec2").delete_snapshot(SnapshotId=snapshot(slow_cloud, volume))
    assert refusal(slow_cloud, volume) == "SnapshotCreationPerVolumeRateExceeded"  # that it is gone changes nothing
    snapshot(slow_cloud, other)
    measures.set_limits(snapshot_interval_seconds=0)
    snapshot(slow_cloud, volume)


@pytest.mark.lab
def test_five_snapshots_of_a_volume_may_be_pending_deleted_and_failed_ones_included(
    slow_cloud: LabCloud, measures: LabMeasures
) -> None:
    ec2, volume = slow_cloud.client("ec2"), slow_cloud.make_volume()
    made = [snapshot(slow_cloud, volume) for _ in range(4)]
    slow_cloud.add_fault("ec2:CreateSnapshot", snapshot_state="error")
    failed = snapshot(slow_cloud, volume)
    assert ec2.describe_snapshots(SnapshotIds=[failed])["Snapshots"][0]["State"] == "error"
    ec2.delete_snapshot(SnapshotId=made[0])
    assert refusal(slow_cloud, volume) == "ConcurrentSnapshotLimitExceeded"
    slow_cloud.set_snapshot_state(made[1], "completed")
    snapshot(slow_cloud, volume)
    assert refusal(slow_cloud, volume) == "ConcurrentSnapshotLimitExceeded"
    measures.set_limits(pending_per_volume=6)
    snapshot(slow_cloud, volume)


@pytest.mark.lab
@pytest.mark.parametrize("kind", ["st1", "sc1"])
def test_one_snapshot_of_a_spinning_disk_may_be_pending(slow_cloud: LabCloud, kind: str) -> None:
    made = slow_cloud.client("ec2").create_volume(AvailabilityZone="eu-central-1a", Size=125, VolumeType=kind)
    slow_cloud.await_volume(made["VolumeId"], "available")
    snapshot(slow_cloud, made["VolumeId"])
    assert refusal(slow_cloud, made["VolumeId"]) == "ConcurrentSnapshotLimitExceeded"


@pytest.mark.lab
def test_a_region_takes_so_many_snapshots_and_no_more(slow_cloud: LabCloud, measures: LabMeasures) -> None:
    assert measures.limits()["snapshots_per_region"] == 100_000
    ec2 = slow_cloud.client("ec2")
    mine = snapshot(slow_cloud, slow_cloud.make_volume())
    measures.set_limits(snapshots_per_region=len(ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]))
    assert refusal(slow_cloud, slow_cloud.make_volume()) == "SnapshotLimitExceeded"
    ec2.delete_snapshot(SnapshotId=mine)
    snapshot(slow_cloud, slow_cloud.make_volume())


@pytest.mark.lab
def test_looking_for_everything_has_a_bucket_of_its_own(slow_cloud: LabCloud, measures: LabMeasures) -> None:
    ec2 = slow_cloud.client("ec2")
    measures.set_limits(rates="ec2:DescribeVolumes/unfiltered=2:0.001 ec2:Describe*=4:0.001")
    assert hurry(ec2.describe_volumes, 9) == 2
    assert hurry(lambda: ec2.describe_volumes(Filters=[{"Name": "status", "Values": ["error"]}]), 9) == 4
    assert hurry(ec2.describe_regions, 9) == 4


@pytest.mark.lab
def test_aws_s_buckets_are_as_large_as_its_page_says(slow_cloud: LabCloud, measures: LabMeasures) -> None:
    measures.set_limits("aws")
    ec2, filters = slow_cloud.client("ec2"), [{"Name": "tag:none", "Values": ["x"]}]
    slow_cloud.faults.call("DELETE", CALLS)
    began = time.monotonic()
    went_through = hurry(lambda: ec2.describe_snapshots(OwnerIds=["self"], Filters=filters), 10_000)
    seconds = time.monotonic() - began
    assert 100 <= went_through <= 100 + 20 * seconds + 1
    counted = slow_cloud.faults.call("GET", CALLS)
    assert counted == {
        "calls": {"ec2:DescribeSnapshots": went_through + 1},
        "throttled": {"ec2:DescribeSnapshots": 1},
    }
    measures.set_limits("aws")  # full again
    assert hurry(lambda: ec2.describe_snapshots(OwnerIds=["self"], Filters=filters), 5) == 5


def test_the_sets_are_those_of_the_pages() -> None:
    sizes = {rate.action: (rate.burst, rate.per_second) for rate in parse_rates(AWS.rates)}
    assert sizes["ec2:CreateSnapshot"] == sizes["ec2:DeleteSnapshot"] == sizes["ec2:CreateVolume"] == (100, 5)
    assert sizes["ec2:CreateTags"] == (100, 10)
    assert sizes["ec2:Describe*"] == (100, 20)
    assert sizes["ec2:DescribeSnapshots/unfiltered"] == (50, 10)
    assert list(sizes)[-1] == "ssm:*"
    assert sizes["ec2:*"] == (50, 5)
    assert named("lab") is LAB


def test_limits_that_make_no_sense_are_refused() -> None:
    for wrong in (None, {}, {"set": "azure"}, {"speed": 1}, {"snapshot_interval_seconds": -1}, {"rates": "ec2:*"}):
        with pytest.raises(ValueError, match=r"it takes|there are no limits|wants a number|is no rate"):
            LAB.changed(wrong)


def test_ids_are_no_filter() -> None:
    def call(**parameters: str) -> Call:
        return Call("ec2", "DescribeSnapshots", "", parameters)

    assert looks_for_everything(call(**{"SnapshotId.1": "snap-1"}))
    assert not looks_for_everything(call(**{"Filter.1.Name": "status"}))
    assert not looks_for_everything(call(MaxResults="5"))


@pytest.mark.lab
def test_s3_s_requests_are_counted_at_the_door(lab_storage: LabStorage) -> None:
    storage = lab_storage.client()
    prefix, calls = lab_storage.new_prefix(), _calls(lab_storage)
    storage.put_object(Bucket=lab_storage.bucket, Key=f"{prefix}a", Body=b"a")
    for _ in range(3):
        storage.get_object(Bucket=lab_storage.bucket, Key=f"{prefix}a")["Body"].read()
    now = _calls(lab_storage)
    assert now["s3:PutObject"] - calls.get("s3:PutObject", 0) == 1
    assert now["s3:GetObject"] - calls.get("s3:GetObject", 0) == 3


def _calls(storage: LabStorage) -> dict[str, int]:
    report: dict[str, int] = storage.faults.call("GET", CALLS)["calls"]
    return report
