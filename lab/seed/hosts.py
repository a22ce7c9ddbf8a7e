"""Hosts and volumes in the lab's cloud, found again by their Name tag so that asking twice makes nothing twice."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from lab.settings import REGION, ZONE, LabSettings
from lab.waiting import wait_until

IMAGE = "perennial-lab-host"
COMMAND_SECONDS = 60
ATTACH_SECONDS = 60
PATIENT = Config(retries={"mode": "standard", "total_max_attempts": 20})  # the lab's cloud refuses who is too quick
LIVE = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]

# Finds the volume among the host's devices by its serial number, as on any EC2 host with NVMe volumes.
MOUNT = r"""
set -eu
mkdir -p {folder}
mountpoint -q {folder} && exit 0
device=$(lsblk --pairs --paths --nodeps --noheadings --output SERIAL,NAME |
    sed -n 's/^SERIAL="{serial}" NAME="\(.*\)"$/\1/p')
mount "$device" {folder}
"""


class Hosts:
    """The hosts of one lab."""

    def __init__(self, settings: LabSettings) -> None:
        self._settings = settings
        self._ec2 = self._client("ec2")
        self._ssm = self._client("ssm")

    def host(self, name: str) -> str:
        """The id of the running instance of that name, started if there is none."""
        filters = [*_named(name), *LIVE]
        reservations = self._ec2.describe_instances(Filters=filters)["Reservations"]
        if reservations:
            return str(reservations[0]["Instances"][0]["InstanceId"])
        started = self._ec2.run_instances(
            ImageId=self.make_image(),
            MinCount=1,
            MaxCount=1,
            InstanceType="t3.micro",
            Placement={"AvailabilityZone": ZONE},
            TagSpecifications=[_tags("instance", name)],
        )
        return str(started["Instances"][0]["InstanceId"])

    def volume(self, name: str, instance: str, device: str, mount: str) -> tuple[str, Path]:
        """The id of the volume of that name, made if need be, and the folder where `instance` has it mounted.

        `device` is the name to attach it by (`/dev/sdf`), `mount` the absolute path on the host.
        """
        volumes = self._ec2.describe_volumes(Filters=_named(name))["Volumes"]
        volume_id = str(volumes[0]["VolumeId"]) if volumes else self.make_volume(name)
        if not volumes or not volumes[0]["Attachments"]:
            self._ec2.get_waiter("volume_available").wait(
                VolumeIds=[volume_id], WaiterConfig={"Delay": 1, "MaxAttempts": 30}
            )
            self.attach(volume_id, instance, device)
        self._await_attached(volume_id)
        folder = self.folder(instance) / mount.lstrip("/")
        self.run(instance, mount_script(folder, volume_id))
        return volume_id, folder

    def make_volume(self, name: str) -> str:
        """The id of a new volume, which is not available yet."""
        made = self._ec2.create_volume(
            AvailabilityZone=ZONE, Size=8, VolumeType="gp3", TagSpecifications=[_tags("volume", name)]
        )
        return str(made["VolumeId"])

    def attach(self, volume: str, instance: str, device: str) -> None:
        """Begin to attach a volume under that name."""
        self._ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device=device)

    def all_volumes(self) -> list[dict[str, Any]]:
        """Every volume of the cloud, as DescribeVolumes shows it."""
        pages = self._ec2.get_paginator("describe_volumes").paginate(PaginationConfig={"PageSize": 500})
        return [volume for page in pages for volume in page["Volumes"]]

    def folder(self, instance: str) -> Path:
        """The lab's folder that stands for the host's root."""
        return self._settings.state / "cloud" / "hosts" / instance

    def run(self, instance: str, script: str) -> None:
        """Run a shell script on the host through SSM; raises RuntimeError with its error output when it fails."""
        command = self._ssm.send_command(
            InstanceIds=[instance], DocumentName="AWS-RunShellScript", Parameters={"commands": [script]}
        )["Command"]["CommandId"]

        def ended() -> bool:
            return self._invocation(command, instance)["Status"] not in ("Pending", "InProgress", "Delayed")

        wait_until(ended, COMMAND_SECONDS, f"A script on {instance} has not ended within {COMMAND_SECONDS} s.")
        outcome = self._invocation(command, instance)
        if outcome["Status"] != "Success":
            raise RuntimeError(f"A script failed on {instance}: {outcome['Status']} {outcome['StandardErrorContent']}")

    def _invocation(self, command: str, instance: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._ssm.get_command_invocation(CommandId=command, InstanceId=instance)
        return answer

    def _await_attached(self, volume: str) -> None:
        def attached() -> bool:
            attachments = self._ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"]
            return [attachment["State"] for attachment in attachments] == ["attached"]

        wait_until(attached, ATTACH_SECONDS, f"Volume {volume} is not attached within {ATTACH_SECONDS} s.")

    def make_image(self) -> str:
        """The id of the image that the hosts are started from, made if need be."""
        images = self._ec2.describe_images(Owners=["self"], Filters=[{"Name": "name", "Values": [IMAGE]}])["Images"]
        image = images[0] if images else self._ec2.register_image(Name=IMAGE, RootDeviceName="/dev/sda1")
        return str(image["ImageId"])

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self._settings.cloud_url,
            region_name=REGION,
            aws_access_key_id=self._settings.access_key,
            aws_secret_access_key=self._settings.secret_key,
            config=PATIENT,
        )


def mount_script(folder: Path, volume: str) -> str:
    """The script that mounts a volume, by its id, on a folder of the host that it is attached to."""
    return MOUNT.format(folder=shlex.quote(str(folder)), serial=volume.replace("-", ""))


def _named(name: str) -> list[dict[str, Any]]:
    return [{"Name": "tag:Name", "Values": [name]}]


def _tags(kind: str, name: str) -> dict[str, Any]:
    return {"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}
