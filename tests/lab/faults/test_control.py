"""Faults set on a whole lab, from Python and by `python -m lab faults`: what then becomes of snapshots and backups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pymssql
import pytest

from lab.faults.control import LabFaults
from lab.seed.shop import connect_arguments
from lab.servers import lab_processes, start_servers, stop_servers
from lab.settings import REGION, ZONE, LabSettings
from lab.sqlserver.engine.control import Control
from lab.testing.command import run_lab
from lab.testing.deadlines import within
from lab.testing.server import new_settings
from lab.waiting import wait_until

pytestmark = pytest.mark.lab

BACKUP = "BACKUP DATABASE model TO DISK = N'model.bak' WITH INIT"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSettings]:
    """A lab that is up and holds nothing."""
    settings = new_settings(tmp_path_factory.mktemp("lab-faults"))
    try:
        start_servers(settings, {"PERENNIAL_LAB_SNAPSHOT_SECONDS": "0", "PERENNIAL_LAB_SNAPSHOT_INTERVAL_SECONDS": "0"})
        yield settings
    finally:
        stop_servers(settings)


@pytest.fixture
def faults(running: LabSettings) -> Iterator[LabFaults]:
    start_servers(running)
    found = LabFaults(running)
    yield found
    found.clear()


def ec2(settings: LabSettings) -> Any:
    return boto3.client(
        "ec2",
        endpoint_url=settings.cloud_url,
        region_name=REGION,
        aws_access_key_id=settings.access_key,
        aws_secret_access_key=settings.secret_key,
    )


def new_snapshot(settings: LabSettings) -> str:
    client = ec2(settings)
    volume = client.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    return str(client.create_snapshot(VolumeId=volume)["SnapshotId"])


def state_of(settings: LabSettings, snapshot: str) -> str:
    return str(ec2(settings).describe_snapshots(SnapshotIds=[snapshot])["Snapshots"][0]["State"])


def back_up(settings: LabSettings) -> None:
    with pymssql.connect(database="master", **connect_arguments(settings)) as connection:
        connection.cursor().execute(BACKUP)


@pytest.mark.parametrize("state", ["pending", "error"])
def test_a_rule_holds_the_next_snapshot_in_a_state_and_no_other(
    running: LabSettings, faults: LabFaults, state: str
) -> None:
    faults.add("ec2:CreateSnapshot", snapshot_state=state)

    held, other = new_snapshot(running), new_snapshot(running)

    assert (state_of(running, held), state_of(running, other)) == (state, "completed")
    assert faults.cloud.hits() == [{"call": "ec2:CreateSnapshot", "outcome": "snapshot_state"}]


def test_the_command_holds_a_snapshot_that_was_made_and_lets_it_go(running: LabSettings) -> None:
    snapshot = new_snapshot(running)
    for state in ("error", "pending", "completed"):
        done = run_lab(running, "faults", "snapshot", snapshot, state)

        assert done.returncode == 0, done.stderr
        assert state_of(running, snapshot) == state


def test_holding_a_snapshot_that_is_not_there_is_refused(running: LabSettings, faults: LabFaults) -> None:
    with pytest.raises(ValueError, match="no snapshot snap-0123"):
        faults.hold_snapshot("snap-0123", "error")
    assert "There is no snapshot snap-0123" in run_lab(running, "faults", "snapshot", "snap-0123", "error").stderr


def test_the_command_lets_the_sql_server_crash_in_the_midst_of_one_backup(
    running: LabSettings, faults: LabFaults
) -> None:
    done = run_lab(running, "faults", "add", "sql:*", "--crash-after-percent", "40")
    assert done.returncode == 0, done.stderr
    assert "crash_after_percent 40" in run_lab(running, "faults", "list").stdout

    with pytest.raises(pymssql.Error):
        back_up(running)

    processes = lab_processes(running)
    wait_until(lambda: processes.leader("sqlserver") is None, within(10), "the server did not crash")
    assert faults.sql_server() == Control()  # set through the cloud, so also while the server is down
    start_servers(running)
    back_up(running)


def test_sql_server_is_slowed_and_quick_again_after_clearing(running: LabSettings, faults: LabFaults) -> None:
    faults.add("sql:Backup", delay=20)
    faults.add("sql:Restore", delay=30)
    assert faults.sql_server() == Control(20, 30)

    faults.clear()

    assert faults.sql_server() == Control()


@pytest.mark.parametrize(
    ("action", "rule", "complaint"),
    [
        ("sql:Backup", {"delay": -1}, "backup_seconds is -1, but it wants seconds"),
        ("sql:*", {"crash_after_percent": 101}, "crash_after_percent is 101"),
        ("sql:Backup", {"crash_after_percent": 40}, r"goes with sql:\*"),
        ("sql:Backup", {}, "takes delay and nothing else"),
        ("sql:Backups", {"delay": 1}, r"Did you mean sql:Backup\?"),
        ("ec2:CreatSnapshot", {"drop": True}, r"Did you mean ec2:CreateSnapshot\?"),
        ("s3:GetObjects", {"drop": True}, r"Did you mean s3:GetObject\?"),
        ("s3:GetObject", {"delay": "soon"}, "delay is 'soon', but it wants seconds"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_by_the_server_it_is_for(
    faults: LabFaults, action: str, rule: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        faults.add(action, **rule)
    assert faults.cloud.rules() == faults.storage.rules() == []
    assert faults.sql_server() == Control()


def test_a_wrong_rule_on_the_command_line_ends_with_one_line(running: LabSettings) -> None:
    done = run_lab(running, "faults", "add", "ec2:CreatSnapshot", "--drop")

    assert done.returncode == 1
    assert done.stderr == (
        "lab faults: No rule was added: 'ec2:CreatSnapshot' fits no call, so it would never strike. "
        "Did you mean ec2:CreateSnapshot?\n"
    )


def test_a_time_that_is_none_is_refused_with_what_it_wants(running: LabSettings) -> None:
    done = run_lab(running, "faults", "add", "ec2:*", "--drop", "--times", "often")

    assert done.returncode == 2
    assert "'often' is neither a whole number nor `always`" in done.stderr
