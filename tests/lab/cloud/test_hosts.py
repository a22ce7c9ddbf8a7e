"""Hosts of the lab's cloud: scripts sent through SSM truly run, and truly end."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from lab.testing.cloud import LabCloud
from lab.testing.deadlines import within
from lab.waiting import wait_until

pytestmark = pytest.mark.lab


def test_a_script_runs_in_its_hosts_folder_and_reports_what_it_printed(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance()
    result = lab_cloud.run(instance, "echo made > file", "cat file", "pwd", "echo complaint >&2", "exit 3")
    assert (result.status, result.code) == ("Failed", 3)
    assert result.stdout.splitlines() == ["made", str(lab_cloud.host_path(instance)).rstrip("/")]
    assert result.stderr == "complaint\n"


def test_a_script_sees_nothing_of_the_labs_environment(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance()
    names = {line.partition("=")[0] for line in lab_cloud.run(instance, "env").stdout.splitlines()}
    assert names - {"PWD", "SHLVL", "_"} == {"HOME", "PATH", "TMPDIR"}  # the shell sets the others itself


def test_output_is_cut_where_aws_cuts_it(lab_cloud: LabCloud) -> None:
    result = lab_cloud.run(lab_cloud.make_instance(), "printf '%030000d' 0", "printf '%030000d' 0 >&2")
    assert (len(result.stdout), len(result.stderr)) == (24_000, 8_000)


def test_a_script_that_takes_too_long_is_killed_with_its_children(lab_cloud: LabCloud) -> None:
    instance, began = lab_cloud.make_instance(), time.monotonic()
    result = lab_cloud.run(instance, "sleep 7100 & sleep 7101", seconds=1)
    assert result.status == "TimedOut"
    assert time.monotonic() - began < within(10)
    assert _sleepers("7100", "7101") == []


def test_a_cancelled_script_is_killed(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance()
    command = lab_cloud.send(instance, "touch started", "sleep 7200")
    _await_file(lab_cloud, instance, "started")
    lab_cloud.client("ssm").cancel_command(CommandId=command)
    assert lab_cloud.await_command(command, instance).status == "Cancelled"
    assert _sleepers("7200") == []


def test_nothing_is_left_in_the_background_when_a_script_ends(lab_cloud: LabCloud) -> None:
    assert lab_cloud.run(lab_cloud.make_instance(), "sleep 7300 &").status == "Success"
    assert _sleepers("7300") == []


@pytest.mark.parametrize(
    ("ending", "seconds"),
    [("cancelled", "7501"), ("timed out", "7502"), ("ended", "7503"), ("lab killed", "7504"), ("lab stopped", "7505")],
)
def test_a_child_in_a_session_of_its_own_ends_with_its_script(lab_cloud: LabCloud, ending: str, seconds: str) -> None:
    instance = lab_cloud.make_instance()
    daemon = f"setsid bash -c 'trap \"\" TERM HUP; touch started; sleep {seconds}; true' &"
    leave = "while [ ! -e started ]; do sleep 0.02; done" if ending == "ended" else f"sleep {seconds}"
    command = lab_cloud.send(instance, daemon, leave, seconds=2 if ending == "timed out" else 60)
    _await_file(lab_cloud, instance, "started")
    if ending == "cancelled":
        lab_cloud.client("ssm").cancel_command(CommandId=command)
    if ending.startswith("lab"):
        (lab_cloud.kill if ending == "lab killed" else lab_cloud.stop)()
        try:
            _await_no_sleepers(seconds)
        finally:
            lab_cloud.start()
    lab_cloud.await_command(command, instance)
    assert _sleepers(seconds) == []


def test_no_script_outlives_a_killed_lab_and_the_next_one_says_it_failed(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance()
    command = lab_cloud.send(instance, "touch started", "sleep 7400")
    _await_file(lab_cloud, instance, "started")
    lab_cloud.kill()
    try:
        _await_no_sleepers("7400")
    finally:
        lab_cloud.start()
    result = lab_cloud.await_command(command, instance)
    assert result.status == "Failed"
    assert result.stderr == "The lab's cloud stopped while this script ran, which ended the script.\n"


def test_scripts_run_again_after_somebody_has_ended_what_starts_them(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance()
    assert lab_cloud.run(instance, "true").status == "Success"
    (starter,) = psutil.Process(lab_cloud.pid).children()
    starter.kill()
    wait_until(lambda: starter.status() == psutil.STATUS_ZOMBIE, within(10), "What starts scripts has not ended.")
    assert lab_cloud.run(instance, "echo again").stdout == "again\n"


def test_a_command_reaches_only_the_hosts_it_names(lab_cloud: LabCloud) -> None:
    named, other = lab_cloud.make_instance(), lab_cloud.make_instance()
    command = lab_cloud.send(named, "touch here")
    lab_cloud.await_command(command, named)
    assert lab_cloud.host_path(named, "here").exists()
    assert not lab_cloud.host_path(other, "here").exists()
    found = lab_cloud.client("ssm").list_command_invocations(CommandId=command, Details=True)["CommandInvocations"]
    assert [(one["InstanceId"], one["Status"], one["CommandPlugins"][0]["ResponseCode"]) for one in found] == [
        (named, "Success", 0)
    ]
    with pytest.raises(ClientError, match="InvocationDoesNotExist"):
        lab_cloud.client("ssm").get_command_invocation(CommandId=command, InstanceId=other)


def test_a_host_that_does_not_run_is_refused(lab_cloud: LabCloud) -> None:
    stopped = lab_cloud.make_instance()
    lab_cloud.client("ec2").stop_instances(InstanceIds=[stopped])
    for instance in (stopped, "i-0123456789abcdef0"):
        with pytest.raises(ClientError, match=rf"InvalidInstanceId.*\[\[{instance}\]\] not in a valid state"):
            lab_cloud.send(instance, "true")


def test_what_the_lab_cannot_do_is_refused_instead_of_ignored(lab_cloud: LabCloud) -> None:
    ssm, instance = lab_cloud.client("ssm"), lab_cloud.make_instance()
    script = {"commands": ["true"]}
    refusals: dict[str, dict[str, Any]] = {
        "InvalidDocument": {"DocumentName": "AWS-RunRemoteScript", "Parameters": script},
        "InvalidParameters": {"DocumentName": "AWS-RunShellScript", "Parameters": {}},
        "DuplicateInstanceId": {"DocumentName": "AWS-RunShellScript", "InstanceIds": [instance, instance]},
    }
    for code, asked in refusals.items():
        with pytest.raises(ClientError, match=code):
            ssm.send_command(**{"InstanceIds": [instance], "Parameters": script, **asked})
    with pytest.raises(ClientError, match=r"UnsupportedOperation.*does not know ec2:EnableFastSnapshotRestores"):
        lab_cloud.client("ec2").enable_fast_snapshot_restores(
            AvailabilityZones=["eu-central-1a"], SourceSnapshotIds=["snap-0123456789abcdef0"]
        )


def test_a_script_that_cannot_start_says_why(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance()
    command = lab_cloud.client("ssm").send_command(
        InstanceIds=[instance],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": ["pwd"], "workingDirectory": ["/no/such/folder"]},
    )["Command"]
    result = lab_cloud.await_command(command["CommandId"], instance)
    assert (result.status, result.stdout) == ("Failed", "")
    assert "could not be started" in result.stderr
    assert "/no/such/folder" in result.stderr


def test_running_hosts_are_managed_hosts(lab_cloud: LabCloud) -> None:
    ssm, instance = lab_cloud.client("ssm"), lab_cloud.make_instance()
    wanted = [{"Key": "InstanceIds", "Values": [instance]}]
    found = ssm.describe_instance_information(Filters=wanted)["InstanceInformationList"]
    assert [(one["InstanceId"], one["PingStatus"], one["PlatformType"]) for one in found] == [
        (instance, "Online", "Linux")
    ]
    lab_cloud.client("ec2").terminate_instances(InstanceIds=[instance])
    assert ssm.describe_instance_information(Filters=wanted)["InstanceInformationList"] == []


def test_invocations_come_in_pages(lab_cloud: LabCloud) -> None:
    instance = lab_cloud.make_instance()
    sent = {lab_cloud.send(instance, "true") for _ in range(5)}
    for command in sent:
        lab_cloud.await_command(command, instance)
    pages = lab_cloud.client("ssm").get_paginator("list_command_invocations")
    found = list(pages.paginate(InstanceId=instance, PaginationConfig={"PageSize": 2}))
    assert len(found) == 3
    assert {one["CommandId"] for page in found for one in page["CommandInvocations"]} == sent


def test_invocations_are_listed_from_a_moment_on(lab_cloud: LabCloud) -> None:
    ssm, instance = lab_cloud.client("ssm"), lab_cloud.make_instance()
    command = lab_cloud.send(instance, "true")
    lab_cloud.await_command(command, instance)

    def found_since(moment: datetime) -> list[str]:
        since = [{"key": "InvokedAfter", "value": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}]
        answer = ssm.list_command_invocations(InstanceId=instance, Filters=since)
        return [one["CommandId"] for one in answer["CommandInvocations"]]

    now = datetime.now(UTC)
    assert found_since(now - timedelta(minutes=5)) == [command]
    assert found_since(now + timedelta(minutes=5)) == []


def _await_file(cloud: LabCloud, instance: str, name: str) -> None:
    deadline = time.monotonic() + within(10)
    while not cloud.host_path(instance, name).exists():
        assert time.monotonic() < deadline, f"the script made no {name}"
        time.sleep(0.02)


def _await_no_sleepers(*seconds: str) -> None:
    wait_until(lambda: not _sleepers(*seconds), within(5), "Something of the script has outlived the lab.")


def _sleepers(*seconds: str) -> list[int]:
    """Processes that sleep for one of these times, which no other test uses."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        line = process.info["cmdline"] or []
        if line[:1] == ["sleep"] and line[-1] in seconds and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.info["pid"])
    return found
