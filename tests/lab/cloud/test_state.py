"""The memory of the lab's cloud: what it acknowledged is there after SIGKILL."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from lab.environment import lab_environment
from lab.settings import ZONE, LabSettings
from lab.testing.cloud import LabCloud
from lab.testing.deadlines import within
from lab.testing.server import new_settings

pytestmark = pytest.mark.lab


def test_everything_acknowledged_is_there_after_a_kill_in_the_middle_of_writing(lab_cloud: LabCloud) -> None:
    volume = lab_cloud.make_volume()
    (lab_cloud.volume_path(volume) / "data").write_text("kept")
    acknowledged: list[str] = []
    stop = threading.Event()

    def write() -> None:
        ec2 = lab_cloud.client("ec2")
        while not stop.is_set():
            try:
                made = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
                ec2.create_tags(Resources=[made], Tags=[{"Key": "n", "Value": made}])
                acknowledged.append(made)
            except (BotoCoreError, ClientError):
                return

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    while len(acknowledged) < 20:
        stop.wait(0.01)
    lab_cloud.kill()
    stop.set()
    for writer in writers:
        writer.join(within(30))
    lab_cloud.start()
    found = lab_cloud.client("ec2").describe_volumes(VolumeIds=acknowledged)["Volumes"]
    assert {one["VolumeId"]: one["Tags"] for one in found} == {
        made: [{"Key": "n", "Value": made}] for made in acknowledged
    }
    assert all(lab_cloud.volume_path(made).is_dir() for made in acknowledged)


def test_hosts_mounts_snapshots_commands_and_identities_survive_a_kill(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance()
    volume = lab_cloud.make_volume(instance, mount="/srv/acme")
    page = lab_cloud.host_path(instance, "/srv/acme/index.html")
    page.write_text("hello")
    command = lab_cloud.send(instance, f"cat {page}")
    lab_cloud.await_command(command, instance)
    snapshot = lab_cloud.make_snapshot(volume)
    user = f"user-{instance}"
    lab_cloud.client("iam").create_user(UserName=user)

    lab_cloud.kill()
    lab_cloud.start()

    assert lab_cloud.await_command(command, instance).stdout == "hello"
    assert lab_cloud.client("iam").get_user(UserName=user)["User"]["UserName"] == user
    mount_point = lab_cloud.host_path(instance, "/srv/acme")
    assert lab_cloud.run(instance, f"mountpoint -q {mount_point} && cat {page}").stdout == "hello"
    ec2 = lab_cloud.client("ec2")
    found = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]
    assert (found["State"], found["VolumeId"]) == ("completed", volume)
    restored = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot)["VolumeId"]
    assert (lab_cloud.volume_path(restored) / "index.html").read_text() == "hello"


def test_folders_nobody_knows_are_gone_after_a_start(lab_cloud: LabCloud) -> None:
    cut_off = lab_cloud.snapshot_path("snap-0123456789abcdef0.unfinished")
    cut_off.mkdir()
    volume = lab_cloud.make_volume()
    lab_cloud.restart()
    assert not cut_off.exists()
    assert lab_cloud.volume_path(volume).is_dir()


def test_sigterm_ends_the_server_at_once_and_a_second_lab_can_take_over(tmp_path: Path) -> None:
    cloud = LabCloud(new_settings(tmp_path))
    cloud.start()
    volume = cloud.make_volume()
    cloud.stop()
    heir = LabCloud(LabSettings(state=tmp_path, port_base=new_settings(tmp_path).port_base))
    heir.start()
    try:
        assert heir.client("ec2").describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "available"
    finally:
        heir.stop()


def test_two_servers_never_share_a_state_folder(lab_cloud: LabCloud) -> None:
    settings = LabSettings(lab_cloud.settings.state, new_settings(lab_cloud.settings.state).port_base)
    second = subprocess.run(
        [sys.executable, "-m", "lab.cloud"],
        env=lab_environment(settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=within(60),
    )
    assert second.returncode == 1
    assert f"Another lab cloud already uses {lab_cloud.folder}" in second.stderr
