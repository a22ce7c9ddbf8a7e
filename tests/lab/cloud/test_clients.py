"""The calls that Perennial makes, through clients that nobody here wrote: aiobotocore, the AWS CLI and boto3."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from lab.environment import lab_environment
from lab.settings import REGION, ZONE, LabSettings
from lab.testing.cloud import LabCloud
from lab.testing.deadlines import within
from lab.testing.storage import LabStorage

pytestmark = pytest.mark.lab

TAGS = [{"Key": "perennial:vault", "Value": "s3://my-vault"}]
COMMAND_SECONDS = within(60)


def aws(settings: LabSettings, *arguments: str) -> Any:
    """Run the AWS CLI against a lab; its JSON answer.

    Raises:
        AssertionError: with what it complained about.
    """
    port = settings.storage_url if arguments[0] in ("s3", "s3api") else settings.cloud_url
    environment = lab_environment(settings) | {
        "AWS_ACCESS_KEY_ID": settings.access_key,
        "AWS_SECRET_ACCESS_KEY": settings.secret_key,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": port,
        "AWS_PAGER": "",
    }
    done = subprocess.run(
        [str(Path(sys.executable).parent / "aws"), "--output", "json", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip().startswith(("{", "[")) else done.stdout


def test_the_aws_cli_takes_finds_locks_and_deletes_a_snapshot(lab_cloud: LabCloud) -> None:
    settings, volume = lab_cloud.settings, lab_cloud.make_volume()
    tags = "ResourceType=snapshot,Tags=[{Key=perennial:vault,Value=s3://my-vault}]"
    made = aws(settings, "ec2", "create-snapshot", "--volume-id", volume, "--tag-specifications", tags)
    snapshot = made["SnapshotId"]
    aws(settings, "ec2", "wait", "snapshot-completed", "--snapshot-ids", snapshot)
    query = ("--owner-ids", "self", "--filters", f"Name=volume-id,Values={volume}", "--page-size", "5")
    found = aws(settings, "ec2", "describe-snapshots", *query)["Snapshots"]
    assert [(one["SnapshotId"], one["State"], one["Tags"]) for one in found] == [(snapshot, "completed", TAGS)]
    lock = ("--snapshot-id", snapshot, "--lock-mode", "governance", "--lock-duration", "1")
    assert aws(settings, "ec2", "lock-snapshot", *lock)["LockState"] == "governance"
    with pytest.raises(AssertionError, match="SnapshotLocked"):
        aws(settings, "ec2", "delete-snapshot", "--snapshot-id", snapshot)
    aws(settings, "ec2", "unlock-snapshot", "--snapshot-id", snapshot)
    aws(settings, "ec2", "delete-snapshot", "--snapshot-id", snapshot)


def test_the_aws_cli_runs_a_script_on_a_host(lab_cloud: LabCloud) -> None:
    settings, instance = lab_cloud.settings, lab_cloud.make_instance()
    parameters = json.dumps({"commands": ["echo hello"], "executionTimeout": ["60"]})
    sent = aws(
        settings, "ssm", "send-command", "--instance-ids", instance, "--document-name", "AWS-RunShellScript",
        "--parameters", parameters,
    )  # fmt: skip
    command = ("--command-id", sent["Command"]["CommandId"], "--instance-id", instance)
    aws(settings, "ssm", "wait", "command-executed", *command)
    assert aws(settings, "ssm", "get-command-invocation", *command)["StandardOutputContent"] == "hello\n"
    listed = aws(settings, "ssm", "list-command-invocations", "--instance-id", instance)["CommandInvocations"]
    assert [one["Status"] for one in listed] == ["Success"]


def test_the_aws_cli_copies_to_the_vault_and_back(lab_storage: LabStorage, tmp_path: Path) -> None:
    settings, file, copy = lab_storage.settings, tmp_path / "full-01.bak", tmp_path / "copy"
    file.write_bytes(b"\x00\xff" * 5_000_000)
    url = f"s3://{lab_storage.bucket}/{lab_storage.new_prefix()}full-01.bak"
    aws(settings, "s3", "cp", "--quiet", str(file), url)
    aws(settings, "s3", "cp", "--quiet", url, str(copy))
    assert copy.read_bytes() == file.read_bytes()
    aws(settings, "s3", "rm", "--quiet", url)


async def test_aiobotocore_makes_a_volume_from_a_snapshot_and_takes_it_away(lab_cloud: LabCloud) -> None:
    instance, snapshot = lab_cloud.make_instance(), lab_cloud.make_snapshot(lab_cloud.make_volume())
    tags = [{"ResourceType": "volume", "Tags": TAGS}]
    async with _client(lab_cloud.settings, "ec2", lab_cloud.settings.cloud_url) as ec2:
        made = [
            await ec2.create_volume(
                SnapshotId=snapshot, AvailabilityZone=ZONE, ClientToken=f"token-{snapshot}", TagSpecifications=tags
            )
            for _ in range(2)
        ]
        volume = made[0]["VolumeId"]
        assert made[1]["VolumeId"] == volume
        pace = {"Delay": 0.05, "MaxAttempts": 200}
        await ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig=pace)
        await ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device="/dev/sdg")
        with pytest.raises(ClientError, match="VolumeInUse"):
            await ec2.delete_volume(VolumeId=volume)
        await ec2.detach_volume(VolumeId=volume)
        await ec2.get_waiter("volume_available").wait(VolumeIds=[volume], WaiterConfig=pace)
        await ec2.delete_volume(VolumeId=volume)
        pages = ec2.get_paginator("describe_volumes").paginate(Filters=[{"Name": "volume-id", "Values": [volume]}])
        assert [found async for page in pages for found in page["Volumes"]] == []


async def test_aiobotocore_writes_a_document_only_over_the_version_it_has_read(lab_storage: LabStorage) -> None:
    place = {"Bucket": lab_storage.bucket, "Key": lab_storage.new_prefix() + "manifest.json"}
    async with _client(lab_storage.settings, "s3", lab_storage.settings.storage_url) as s3:
        first = await s3.put_object(**place, Body=b"1", IfNoneMatch="*")
        await s3.put_object(**place, Body=b"2", IfMatch=first["ETag"])
        for condition in ({"IfNoneMatch": "*"}, {"IfMatch": first["ETag"]}):
            with pytest.raises(ClientError, match="PreconditionFailed"):
                await s3.put_object(**place, Body=b"3", **condition)
        answer = await s3.get_object(**place)
        assert await answer["Body"].read() == b"2"


def _client(settings: LabSettings, service: str, url: str) -> Any:
    return get_session().create_client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=settings.secret_key,
    )
