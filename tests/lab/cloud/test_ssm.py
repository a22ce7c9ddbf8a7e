"""SSM of the lab's cloud: platforms, and the limits of its parameters."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab.cloud.constraints import violations
from lab.cloud.documents import DOCUMENTS
from lab.cloud.images import WINDOWS_IMAGE
from lab.testing.cloud import LabCloud, ScriptResult

HAS_POWERSHELL = shutil.which("pwsh") is not None


@pytest.mark.lab
def test_a_host_has_the_platform_of_its_image(lab_cloud: LabCloud) -> None:
    linux, windows = lab_cloud.make_instance(), lab_cloud.make_instance(image=WINDOWS_IMAGE)
    wanted = [{"Key": "InstanceIds", "Values": [linux, windows]}]
    found = lab_cloud.client("ssm").describe_instance_information(Filters=wanted)["InstanceInformationList"]
    assert {one["InstanceId"]: one["PlatformType"] for one in found} == {linux: "Linux", windows: "Windows"}
    told = lab_cloud.client("ec2").describe_instances(InstanceIds=[windows])["Reservations"][0]["Instances"][0]
    assert told["Platform"] == "windows"


@pytest.mark.lab
def test_a_windows_host_takes_no_shell_script_and_none_of_the_hosts_runs_it(lab_cloud: LabCloud) -> None:
    linux, windows = lab_cloud.make_instance(), lab_cloud.make_instance(image=WINDOWS_IMAGE)
    with pytest.raises(ClientError, match=rf"UnsupportedPlatformType.*{windows} of platform type Windows"):
        lab_cloud.client("ssm").send_command(
            InstanceIds=[linux, windows],
            DocumentName="AWS-RunShellScript",
            Parameters={"commands": ["touch here"]},
        )
    assert lab_cloud.client("ssm").list_command_invocations(InstanceId=linux)["CommandInvocations"] == []


@pytest.mark.lab
@pytest.mark.skipif(HAS_POWERSHELL, reason="this machine has PowerShell: the next test runs")
@pytest.mark.parametrize("image", [WINDOWS_IMAGE, "ami-0123456789abcdef0"])
def test_without_powershell_on_this_machine_its_scripts_fail_and_say_so(lab_cloud: LabCloud, image: str) -> None:
    result = _run_powershell(lab_cloud, image, "Write-Output hello")
    assert (result.status, result.stdout) == ("Failed", "")
    assert "this machine has no pwsh, so the lab cannot run AWS-RunPowerShellScript on host i-" in result.stderr


@pytest.mark.lab
@pytest.mark.skipif(not HAS_POWERSHELL, reason="this machine has no PowerShell (pwsh)")
def test_with_powershell_on_this_machine_its_scripts_truly_run(lab_cloud: LabCloud) -> None:
    result = _run_powershell(lab_cloud, WINDOWS_IMAGE, "Write-Output hello", "exit 3")
    assert (result.status, result.code, result.stdout.strip()) == ("Failed", 3, "hello")


def test_powershell_gets_the_arguments_that_the_agent_gives_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "pwsh"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    interpreter = DOCUMENTS["AWS-RunPowerShellScript"].interpreter("i-0123456789abcdef0")
    assert interpreter[0] == str(program)
    assert interpreter[-3:] == ("-ExecutionPolicy", "unrestricted", "-f")


BAD_COMMANDS: dict[str, dict[str, Any]] = {
    "at 'comment' failed to satisfy constraint: Member must have length less than or equal to 100": {
        "Comment": "c" * 101
    },
    "'29' at 'timeoutSeconds'.*greater than or equal to 30": {"TimeoutSeconds": 29},
    "'2592001' at 'timeoutSeconds'.*less than or equal to 2592000": {"TimeoutSeconds": 2_592_001},
    "at 'instanceIds'.*less than or equal to 50": {"InstanceIds": [f"i-{number:017x}" for number in range(51)]},
    "'web-1' at 'instanceIds.1.member'.*pattern": {"InstanceIds": ["web-1"]},
}


@pytest.mark.lab
@pytest.mark.parametrize("complaint", BAD_COMMANDS)
def test_a_command_beyond_the_limits_is_refused(lab_cloud: LabCloud, complaint: str) -> None:
    instance = lab_cloud.make_instance()
    asked = {"InstanceIds": [instance], "DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["true"]}}
    with pytest.raises(ClientError, match=rf"ValidationException.*1 validation error detected.*{complaint}"):
        lab_cloud.client("ssm", parameter_validation=False).send_command(**{**asked, **BAD_COMMANDS[complaint]})


def test_a_call_within_the_limits_violates_nothing() -> None:
    asked = {
        "InstanceIds": ["i-0123456789abcdef0"],
        "DocumentName": "AWS-RunShellScript",
        "Comment": "c" * 100,
        "TimeoutSeconds": 30,
        "Parameters": {"commands": ["true"]},
    }
    assert violations("ssm", "SendCommand", asked) == []
    assert violations("ssm", "DescribeInstanceInformation", {"MaxResults": 50}) == []


def _run_powershell(cloud: LabCloud, image: str, *lines: str) -> ScriptResult:
    instance = cloud.make_instance(image=image)
    answer = cloud.client("ssm").send_command(
        InstanceIds=[instance], DocumentName="AWS-RunPowerShellScript", Parameters={"commands": list(lines)}
    )
    return cloud.await_command(answer["Command"]["CommandId"], instance)
