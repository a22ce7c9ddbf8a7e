"""Fault rules of the lab's cloud: what the callers see, and what truly happened."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from lab.faults.rules import Fault
from lab.testing.cloud import LabCloud

pytestmark = pytest.mark.lab


def test_a_fault_strikes_as_often_as_it_says_and_then_no_more(lab_cloud: LabCloud) -> None:
    volume = lab_cloud.make_volume()
    lab_cloud.add_fault("ec2:CreateSnapshot", code="SnapshotCreationPerVolumeRateExceeded", times=2)
    for _ in range(2):
        with pytest.raises(ClientError, match="SnapshotCreationPerVolumeRateExceeded"):
            lab_cloud.make_snapshot(volume)
    lab_cloud.make_snapshot(volume)
    assert lab_cloud.fault_hits() == 2 * [
        {"call": "ec2:CreateSnapshot", "outcome": "SnapshotCreationPerVolumeRateExceeded"}
    ]


def test_a_client_that_retries_throttling_does_not_notice_it(lab_cloud: LabCloud) -> None:
    lab_cloud.add_fault("ec2:DescribeVolumes", code="RequestLimitExceeded")
    lab_cloud.client("ec2", attempts=3).describe_volumes()
    assert len(lab_cloud.fault_hits()) == 1


def test_an_answer_lost_after_the_call_leaves_its_effect(lab_cloud: LabCloud) -> None:
    ec2, volume = lab_cloud.client("ec2"), lab_cloud.make_volume()
    lab_cloud.add_fault("ec2:CreateSnapshot", after=True)
    with pytest.raises(ConnectionClosedError):
        ec2.create_snapshot(VolumeId=volume)
    assert len(_snapshots_of(ec2, volume)) == 1


def test_a_retry_after_a_lost_answer_makes_a_second_snapshot_as_on_aws(lab_cloud: LabCloud) -> None:
    ec2, volume = lab_cloud.client("ec2", attempts=2), lab_cloud.make_volume()
    lab_cloud.add_fault("ec2:CreateSnapshot", after=True, code="InternalError")
    ec2.create_snapshot(VolumeId=volume)
    assert len(_snapshots_of(ec2, volume)) == 2


def test_a_call_dropped_before_it_happened_has_no_effect(lab_cloud: LabCloud) -> None:
    ec2, volume = lab_cloud.client("ec2"), lab_cloud.make_volume()
    lab_cloud.add_fault("ec2:CreateSnapshot", drop=True)
    with pytest.raises(ConnectionClosedError):
        ec2.create_snapshot(VolumeId=volume)
    assert _snapshots_of(ec2, volume) == []


def test_a_rule_with_a_match_leaves_other_calls_alone(lab_cloud: LabCloud) -> None:
    struck, spared = lab_cloud.make_volume(), lab_cloud.make_volume()
    lab_cloud.add_fault("ec2:CreateSnapshot", code="InternalError", match=struck, times=None)
    lab_cloud.make_snapshot(spared)
    for _ in range(2):
        with pytest.raises(ClientError, match="InternalError"):
            lab_cloud.make_snapshot(struck)


def test_a_delayed_call_is_answered_late_and_holds_up_nobody_else(lab_cloud: LabCloud) -> None:
    volume = lab_cloud.make_volume()
    lab_cloud.add_fault("ec2:DescribeVolumes", delay=0.7)
    began = time.monotonic()
    lab_cloud.client("ec2").describe_volumes(VolumeIds=[volume])
    assert time.monotonic() - began >= 0.7


@pytest.mark.parametrize(
    ("action", "code", "call"),
    [
        ("ssm:SendCommand", "ThrottlingException", lambda cloud: cloud.send("i-0123456789abcdef0", "true")),
        ("sts:GetCallerIdentity", "ExpiredToken", lambda cloud: cloud.client("sts").get_caller_identity()),
        ("s3:PutObject", "SlowDown", lambda cloud: cloud.client("s3").put_object(Bucket="b-1", Key="k/1", Body=b"")),
        ("s3:List*", "AccessDenied", lambda cloud: cloud.client("s3").list_objects_v2(Bucket="b-1")),
    ],
)
def test_every_service_gets_the_error_in_its_own_form(
    lab_cloud: LabCloud, action: str, code: str, call: Callable[[LabCloud], Any]
) -> None:
    lab_cloud.add_fault(action, code=code, message="as ordered")
    with pytest.raises(ClientError, match=f"{code}.*as ordered"):
        call(lab_cloud)


def test_a_lost_answer_to_a_put_leaves_the_object(lab_cloud: LabCloud) -> None:
    s3, bucket = lab_cloud.client("s3"), f"vault-{uuid4().hex}"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    lab_cloud.add_fault("s3:PutObject", match=bucket, after=True)
    with pytest.raises(ConnectionClosedError):
        s3.put_object(Bucket=bucket, Key="manifest.json", Body=b"written", IfNoneMatch="*")
    assert s3.get_object(Bucket=bucket, Key="manifest.json")["Body"].read() == b"written"
    assert s3.head_object(Bucket=bucket, Key="manifest.json")["ContentLength"] == len(b"written")


def test_a_rule_without_effect_is_refused() -> None:
    with pytest.raises(ValueError, match="would do nothing"):
        Fault("ec2:CreateSnapshot")
    with pytest.raises(ValueError, match="not both"):
        Fault("ec2:CreateSnapshot", code="InternalError", drop=True)


def test_a_rule_with_an_unknown_field_is_refused_and_none_is_added(lab_cloud: LabCloud) -> None:
    with pytest.raises(ValueError, match="No rule was added"):
        lab_cloud.add_fault("ec2:CreateSnapshot", code="InternalError", probability=0.5)
    lab_cloud.make_snapshot(lab_cloud.make_volume())


def _snapshots_of(ec2: Any, volume: str) -> list[dict[str, Any]]:
    query = [{"Name": "volume-id", "Values": [volume]}]
    snapshots: list[dict[str, Any]] = ec2.describe_snapshots(OwnerIds=["self"], Filters=query)["Snapshots"]
    return snapshots
