"""Permissions in the lab's cloud: a user may do what its policies allow, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen
from uuid import uuid4

import boto3
import pytest
from botocore import UNSIGNED
from botocore.exceptions import ClientError

from lab.cloud.permissions import POLICY_FILE
from lab.cloud.policies import Deed, allows
from lab.settings import REGION, ZONE
from lab.testing.cloud import LabCloud

POLICY = json.loads(POLICY_FILE.read_text())
OURS = [{"Key": "perennial:vault", "Value": "s3://my-vault"}]


@pytest.mark.lab
def test_perennials_own_policy_lets_it_delete_only_what_it_has_tagged(lab_cloud: LabCloud) -> None:
    ec2, volume = _limited(lab_cloud, POLICY), lab_cloud.make_volume()
    ours = ec2.create_snapshot(VolumeId=volume, TagSpecifications=[{"ResourceType": "snapshot", "Tags": OURS}])
    foreign = lab_cloud.make_snapshot(volume)
    with pytest.raises(ClientError, match=rf"UnauthorizedOperation.*ec2:DeleteSnapshot on resource: .*{foreign}"):
        ec2.delete_snapshot(SnapshotId=foreign)
    ec2.delete_snapshot(SnapshotId=ours["SnapshotId"])
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        ec2.delete_volume(VolumeId=volume)


REFUSED: list[Callable[[Any, str, str], Any]] = [
    lambda ec2, volume, _: ec2.create_snapshot(VolumeId=volume),  # without our tag
    lambda ec2, volume, _: ec2.create_tags(Resources=[volume], Tags=OURS),  # would make a tenant's volume deletable
    lambda ec2, volume, _: ec2.detach_volume(VolumeId=volume),
    lambda ec2, volume, snapshot: ec2.create_volume(
        SnapshotId=snapshot, AvailabilityZone=ZONE, TagSpecifications=[{"ResourceType": "volume", "Tags": OURS}]
    ),
    lambda ec2, *_: ec2.describe_instances(),
    lambda ec2, _, snapshot: ec2.modify_snapshot_attribute(
        SnapshotId=snapshot, Attribute="createVolumePermission", OperationType="add", GroupNames=["all"]
    ),
]


@pytest.mark.lab
@pytest.mark.parametrize("call", REFUSED)
def test_perennials_own_policy_refuses_what_it_does_not_need(
    lab_cloud: LabCloud, call: Callable[[Any, str, str], Any]
) -> None:
    volume = lab_cloud.make_volume()
    snapshot = lab_cloud.make_snapshot(volume)
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        call(_limited(lab_cloud, POLICY), volume, snapshot)


@pytest.mark.lab
def test_scripts_may_be_sent_with_the_named_document_only(lab_cloud: LabCloud) -> None:
    ssm, instance = _limited(lab_cloud, POLICY, "ssm"), lab_cloud.make_instance()
    asked = {"InstanceIds": [instance], "Parameters": {"commands": ["true"]}}
    ssm.send_command(DocumentName="AWS-RunShellScript", **asked)
    with pytest.raises(ClientError, match=r"AccessDeniedException.*document/AWS-RunRemoteScript"):
        ssm.send_command(DocumentName="AWS-RunRemoteScript", **asked)


@pytest.mark.lab
def test_a_key_nobody_made_is_refused(lab_cloud: LabCloud) -> None:
    with pytest.raises(ClientError, match="AuthFailure"):
        _client(lab_cloud, "ec2", "AKIAUNKNOWNUNKNOWN00", "secret").describe_volumes()


@pytest.mark.lab
@pytest.mark.parametrize(
    ("service", "code", "call"),
    [
        ("ec2", "MissingAuthenticationToken", lambda ec2: ec2.describe_volumes()),
        ("ec2", "MissingAuthenticationToken", lambda ec2: ec2.create_volume(AvailabilityZone=ZONE, Size=8)),
        ("iam", "MissingAuthenticationToken", lambda iam: iam.list_users()),
        ("sts", "MissingAuthenticationToken", lambda sts: sts.get_caller_identity()),
        ("ssm", "MissingAuthenticationTokenException", lambda ssm: ssm.list_commands()),
    ],
)
def test_a_call_that_nobody_has_signed_is_refused(
    lab_cloud: LabCloud, service: str, code: str, call: Callable[[Any], Any]
) -> None:
    with pytest.raises(ClientError, match=rf"\({code}\)"):
        call(lab_cloud.client(service, signature_version=UNSIGNED))


@pytest.mark.lab
def test_a_signature_in_the_address_counts_as_one_in_the_head(lab_cloud: LabCloud) -> None:
    volume = lab_cloud.make_volume()
    asked = {"VolumeIds": [volume]}
    unknown = _client(lab_cloud, "ec2", "AKIAUNKNOWNUNKNOWN00", "secret")
    with pytest.raises(HTTPError) as refused:
        urlopen(unknown.generate_presigned_url("describe_volumes", asked))  # noqa: S310 - the lab's own address
    assert b"AuthFailure" in refused.value.read()
    with urlopen(lab_cloud.client("ec2").generate_presigned_url("describe_volumes", asked)) as found:  # noqa: S310
        assert volume.encode() in found.read()


def test_a_denial_outweighs_any_permission() -> None:
    allowed = {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}
    denied = {"Effect": "Deny", "Action": "ec2:Delete*", "Resource": "*"}
    policies = [{"Statement": [allowed, denied]}]
    assert allows(policies, Deed("ec2:CreateVolume", "arn"))
    assert not allows(policies, Deed("ec2:DeleteVolume", "arn"))


def test_a_condition_on_a_missing_key_does_not_hold() -> None:
    condition = {"StringLike": {"aws:ResourceTag/perennial:vault": "s3://*"}}
    policies = [{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}}]
    tagged = {"aws:ResourceTag/perennial:vault": "s3://v"}
    assert allows(policies, Deed("ec2:DeleteVolume", "arn", tagged))
    assert not allows(policies, Deed("ec2:DeleteVolume", "arn"))


@pytest.mark.parametrize(
    "part", [{"NotAction": "ec2:*"}, {"Condition": {"NumericLessThan": {"aws:MultiFactorAuthAge": "1"}}}]
)
def test_a_policy_the_lab_cannot_judge_is_refused(part: dict[str, Any]) -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", **part}
    with pytest.raises(ValueError, match="cannot judge"):
        allows([{"Statement": statement}], Deed("ec2:CreateVolume", "arn"))


def _limited(cloud: LabCloud, policy: dict[str, Any], service: str = "ec2") -> Any:
    """A client of a new user with this policy."""
    iam, user = cloud.client("iam"), f"user-{uuid4().hex[:8]}"
    iam.create_user(UserName=user)
    iam.put_user_policy(UserName=user, PolicyName="perennial", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=user)["AccessKey"]
    return _client(cloud, service, key["AccessKeyId"], key["SecretAccessKey"])


def _client(cloud: LabCloud, service: str, key: str, secret: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=cloud.settings.cloud_url,
        region_name=REGION,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )
