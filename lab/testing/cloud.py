"""A lab cloud with boto3 clients, hosts, volumes, faults and a power switch."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.cloud.readiness import wait_until_ready
from lab.faults.control import FaultControl
from lab.settings import REGION, ZONE, LabSettings
from lab.testing.clients import kept_client
from lab.testing.deadlines import within
from lab.testing.server import LabServer
from lab.waiting import wait_until

SNAPSHOT_SECONDS = 0.3
VOLUME_SECONDS = 0.1
VOLUME_DEADLINE = within(10)
SCRIPT_SECONDS = 60
LINUX_IMAGE = "ami-0123456789abcdef0"


@dataclass(frozen=True)
class ScriptResult:
    """How a script on a host ended."""

    status: str
    code: int
    stdout: str
    stderr: str


class LabCloud(LabServer):
    """A lab cloud under test. Make what a test needs through it: every test finds it without faults."""

    def __init__(self, settings: LabSettings, snapshot_seconds: float = SNAPSHOT_SECONDS, **knobs: str) -> None:
        """Quick and unlimited unless `knobs` (the fields of `lab.cloud.knobs.Knobs`) say otherwise."""
        quick = {
            "snapshot_seconds": str(snapshot_seconds),
            "snapshot_interval_seconds": "0",
            "volume_seconds": str(VOLUME_SECONDS),
            "rates": "",
        }
        chosen = {**quick, **knobs}
        environment = {f"PERENNIAL_LAB_{name.upper()}": value for name, value in chosen.items()}
        super().__init__("lab.cloud", settings, wait_until_ready, environment)
        self.folder = settings.state / "cloud"
        self.faults = FaultControl.of(settings, "cloud")

    def client(self, service: str, *, region: str = REGION, attempts: int = 1, **config: Any) -> Any:
        """A plain boto3 client; `attempts` = 1 means that botocore does not retry."""
        return kept_client(
            service,
            endpoint_url=self.settings.cloud_url,
            region_name=region,
            aws_access_key_id=self.settings.access_key,
            aws_secret_access_key=self.settings.secret_key,
            config={"attempts": attempts, **config},
        )

    def make_instance(self, zone: str = ZONE, image: str = LINUX_IMAGE, **options: Any) -> str:
        """Run a host; returns its id. The image `lab.cloud.images.WINDOWS_IMAGE` makes it a Windows host."""
        placement = {"AvailabilityZone": zone}
        answer = self.client("ec2").run_instances(ImageId=image, MinCount=1, MaxCount=1, Placement=placement, **options)
        instance_id: str = answer["Instances"][0]["InstanceId"]
        return instance_id

    def make_volume(
        self, instance: str | None = None, device: str = "/dev/sdf", mount: str | None = None, zone: str = ZONE
    ) -> str:
        """Make a volume of 8 GiB, attach it if a host is given, mount it if a folder below the host's root is given.

        Args:
            mount: `/srv/acme` for instance; scripts then see it as the absolute path `host_path(instance, mount)`.
        """
        ec2 = self.client("ec2")
        volume: str = ec2.create_volume(AvailabilityZone=zone, Size=8)["VolumeId"]
        if instance:
            self.await_volume(volume, "available")
            ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device=device)
            self.await_volume(volume, "in-use", "attached")
        if instance and mount:
            path = self.host_path(instance, mount)
            result = self.run(instance, f"mkdir -p {path}", f"mount {self.host_path(instance, device)} {path}")
            if result.status != "Success":
                raise RuntimeError(f"{volume} was not mounted at {mount}: {result.stderr}")
        return volume

    def detach(self, volume: str, **options: Any) -> None:
        """Detach a volume and wait until it is available."""
        self.client("ec2").detach_volume(VolumeId=volume, **options)
        self.await_volume(volume, "available")

    def volume_state(self, volume: str) -> tuple[str, str | None]:
        """A volume's state and that of its attachment, if it has one."""
        volume_entry = self.client("ec2").describe_volumes(VolumeIds=[volume])["Volumes"][0]
        return volume_entry["State"], next((attachment["State"] for attachment in volume_entry["Attachments"]), None)

    def await_volume(self, volume: str, state: str, attachment: str | None = None) -> None:
        """Wait until a volume is in a state, and its attachment too."""
        wait_until(
            lambda: self.volume_state(volume) == (state, attachment),
            VOLUME_DEADLINE,
            f"{volume} is not {state} ({attachment}) within {VOLUME_DEADLINE:g} s.",
        )

    def host_path(self, instance: str, path: str = "/") -> Path:
        """Where a path of a host truly lies."""
        return self.folder / "hosts" / instance / path.lstrip("/")

    def volume_path(self, volume: str) -> Path:
        return self.folder / "volumes" / volume

    def snapshot_path(self, snapshot: str) -> Path:
        return self.folder / "snapshots" / snapshot

    def run(self, instance: str, *lines: str, seconds: int = SCRIPT_SECONDS) -> ScriptResult:
        """Run a script on a host through SSM and wait for its end."""
        command = self.send(instance, *lines, seconds=seconds)
        return self.await_command(command, instance)

    def send(self, instance: str, *lines: str, seconds: int = SCRIPT_SECONDS) -> str:
        """Send a script to a host; returns the command's id."""
        answer = self.client("ssm").send_command(
            InstanceIds=[instance],
            DocumentName="AWS-RunShellScript",
            Parameters={"commands": list(lines), "executionTimeout": [str(seconds)]},
        )
        command_id: str = answer["Command"]["CommandId"]
        return command_id

    def await_command(self, command_id: str, instance: str) -> ScriptResult:
        """Wait for the end of a command on one host."""
        ssm, deadline = self.client("ssm"), time.monotonic() + within(SCRIPT_SECONDS)
        while time.monotonic() < deadline:
            invocation = ssm.get_command_invocation(CommandId=command_id, InstanceId=instance)
            if invocation["Status"] not in ("Pending", "InProgress", "Cancelling"):
                output = invocation["StandardOutputContent"], invocation["StandardErrorContent"]
                return ScriptResult(invocation["Status"], invocation["ResponseCode"], *output)
            time.sleep(0.05)
        raise TimeoutError(f"Command {command_id} did not end on {instance} in time")

    def make_snapshot(self, volume: str, completed: bool = True) -> str:
        """Take a snapshot, and by default wait until it is completed."""
        ec2 = self.client("ec2")
        snapshot: str = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        if completed:
            waiter = ec2.get_waiter("snapshot_completed")
            waiter.wait(SnapshotIds=[snapshot], WaiterConfig={"Delay": 0.1, "MaxAttempts": round(within(20) / 0.1)})
        return snapshot

    def set_snapshot_state(self, snapshot: str, state: str) -> None:
        """Hold a snapshot in `pending`, `completed` or `error`."""
        self.faults.call("PUT", f"/lab/snapshots/{snapshot}", {"state": state})

    def add_fault(self, action: str, **rule: Any) -> None:
        """Add a fault rule; its fields are those of `lab.faults.rules`."""
        self.faults.add(action, **rule)

    def fault_hits(self) -> list[dict[str, str]]:
        """Where fault rules struck since they were last cleared: `call` and `outcome`."""
        return self.faults.hits()

    def clear_faults(self) -> None:
        self.faults.clear()
