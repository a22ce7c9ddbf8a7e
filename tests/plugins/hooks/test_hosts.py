"""Scripts on hosts: parameters stay data, a script is never started twice, and its failure is told in its own words."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from include.rules.errors import UnavailableError
from include.rules.register.tenants import Platform
from lab.cloud.images import WINDOWS_IMAGE
from lab.testing.cloud import LabCloud
from lab.testing.deadlines import pace, within
from lab.waiting import wait_until
from perennial.hooks.aws import host_scripts
from perennial.hooks.aws.clients import aws_client
from perennial.hooks.aws.errors import AwsRejectedError
from perennial.hooks.aws.hosts import Hosts, Outcome, ScriptError
from perennial.hooks.vault.vault import Vault
from tests.support.vaults import VaultUnderTest
from tests.support.waits import shorten

pytestmark = pytest.mark.lab

NASTY = [
    "plain",
    "",
    "with space",
    "$(touch hacked)",
    "`touch hacked`",
    "'; touch hacked; '",
    '"; touch hacked; "',
    "a\nb\n\n",
    "\\n\\",
    "ümläut 名前",
    "$HOME",
    "-n",
    "%s%d",
]


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of scripts in place of include/scripts/."""
    monkeypatch.setattr(host_scripts, "SCRIPTS", tmp_path)
    return tmp_path


@pytest.fixture
def host(lab_cloud: LabCloud) -> str:
    return lab_cloud.make_instance()


def run(vault: VaultUnderTest, work: Callable[[Hosts], Awaitable[Outcome]]) -> Outcome:
    return vault.run(lambda _: work(Hosts(vault.settings.aws_conn_id, 0.05)))


@pytest.mark.parametrize("value", NASTY)
def test_a_parameter_arrives_as_it_is_and_is_never_code(
    moto_vault: VaultUnderTest, lab_cloud: LabCloud, scripts: Path, host: str, value: str
) -> None:
    (scripts / "show.sh").write_text('printf %s "$VALUE" | od -An -v -tx1 | tr -d " \\n"; echo\n')
    outcome = run(
        moto_vault, lambda hosts: hosts.run(host, Platform.LINUX, "show", {"VALUE": value}, label="show", limit=30)
    )
    assert bytes.fromhex(outcome.output.strip()).decode() == value
    assert not lab_cloud.host_path(host, "/hacked").exists()


def test_the_last_line_of_a_script_is_its_answer(moto_vault: VaultUnderTest, scripts: Path, host: str) -> None:
    (scripts / "count.sh").write_text("echo working\necho '{\"files\": 3}'\n\n")
    outcome = run(moto_vault, lambda hosts: hosts.run(host, Platform.LINUX, "count", {}, label="count", limit=30))
    assert outcome.answer() == {"files": 3}


def test_a_script_that_fails_is_quoted(moto_vault: VaultUnderTest, scripts: Path, host: str) -> None:
    (scripts / "fail.sh").write_text("echo the disk is full >&2\nexit 7\n")
    with pytest.raises(ScriptError, match=rf"fail on host {host} ended with Failed \(exit code 7\): the disk is full"):
        run(moto_vault, lambda hosts: hosts.run(host, Platform.LINUX, "fail", {}, label="fail", limit=30))


def test_a_script_that_takes_too_long_is_ended(moto_vault: VaultUnderTest, scripts: Path, host: str) -> None:
    (scripts / "hang.sh").write_text("sleep 60\n")
    with pytest.raises(ScriptError, match="ended with TimedOut"):
        run(moto_vault, lambda hosts: hosts.run(host, Platform.LINUX, "hang", {}, label="hang", limit=1))


def test_a_host_that_is_not_there_is_named(moto_vault: VaultUnderTest, scripts: Path) -> None:
    (scripts / "any.sh").write_text("true\n")
    with pytest.raises(
        UnavailableError, match=r"could not be sent to host i-0123456789abcdef0.*its SSM agent is online"
    ):
        run(
            moto_vault, lambda hosts: hosts.run("i-0123456789abcdef0", Platform.LINUX, "any", {}, label="any", limit=30)
        )


async def runs(begun: Path) -> None:
    """Wait until a script is so far that it has made the file."""
    await asyncio.to_thread(wait_until, begun.exists, within(10), "The script has not begun.")


def test_a_script_that_an_earlier_attempt_has_started_is_waited_for_and_not_started_again(
    moto_vault: VaultUnderTest, lab_cloud: LabCloud, scripts: Path, host: str
) -> None:
    (scripts / "slow.sh").write_text("echo begun >> begun; sleep 1; echo '{\"done\": true}'\n")

    async def twice(hosts: Hosts) -> Outcome:
        first = asyncio.create_task(hosts.run(host, Platform.LINUX, "slow", {}, label="slow", limit=30))
        await runs(lab_cloud.host_path(host, "/begun"))
        first.cancel()
        return await hosts.run(host, Platform.LINUX, "slow", {}, label="slow", limit=30)

    assert json.dumps(run(moto_vault, twice).answer()) == '{"done": true}'
    assert lab_cloud.host_path(host, "/begun").read_text() == "begun\n"


def test_a_script_is_ended_when_nobody_wants_it_any_more(
    moto_vault: VaultUnderTest, lab_cloud: LabCloud, scripts: Path, host: str
) -> None:
    (scripts / "long.sh").write_text(f"touch begun; sleep {2 * pace()}; echo late > late\n")

    async def cancel(hosts: Hosts) -> bool:
        running = asyncio.create_task(hosts.run(host, Platform.LINUX, "long", {}, label="long", limit=30))
        await runs(lab_cloud.host_path(host, "/begun"))
        ended = await hosts.cancel(host, "long")
        with pytest.raises(ScriptError, match="ended with Cancelled"):
            await running
        assert not await hosts.cancel(host, "long")
        await asyncio.sleep(2 * pace())
        return ended

    assert moto_vault.run(lambda _: cancel(Hosts(moto_vault.settings.aws_conn_id, 0.05)))
    assert not lab_cloud.host_path(host, "/late").exists()


def test_all_scripts_that_nobody_wants_are_found_by_one_look_and_ended(
    moto_vault: VaultUnderTest, lab_cloud: LabCloud, scripts: Path, host: str
) -> None:
    (scripts / "endless.sh").write_text('touch "$FILE"; sleep 600')
    files = {name: lab_cloud.host_path(host, name) for name in ("look", "copy", "other")}

    async def cancel_two(_: Vault) -> None:
        hosts = Hosts(moto_vault.settings.aws_conn_id, 0.05)
        ssm, listings = await aws_client("ssm", moto_vault.settings.aws_conn_id), list[str]()
        running = {
            name: asyncio.create_task(
                hosts.run(host, Platform.LINUX, "endless", {"FILE": str(file)}, label=name, limit=600)
            )
            for name, file in files.items()
        }
        await asyncio.gather(*(runs(file) for file in files.values()))
        ssm.meta.events.register("before-call.ssm.ListCommandInvocations", lambda **_: listings.append("asked"))
        assert await hosts.cancel(host, "look", "copy")
        assert listings == ["asked"]
        for name in ("look", "copy"):
            with pytest.raises(ScriptError, match="Cancelled"):
                await running[name]
        assert not running["other"].done()
        assert await hosts.cancel(host, "other")
        await asyncio.gather(*running.values(), return_exceptions=True)

    moto_vault.run(cancel_two)


def test_a_host_of_another_platform_is_told(moto_vault: VaultUnderTest, lab_cloud: LabCloud, scripts: Path) -> None:
    (scripts / "any.sh").write_text("exit 0\n")
    windows = lab_cloud.make_instance(image=WINDOWS_IMAGE)
    with pytest.raises(UnavailableError, match=r"UnsupportedPlatformType.*Check that the instance runs linux"):
        run(moto_vault, lambda hosts: hosts.run(windows, Platform.LINUX, "any", {}, label="any", limit=30))


def test_a_script_that_does_not_end_when_it_is_cancelled_is_not_waited_for_for_ever(
    moto_vault: VaultUnderTest, lab_cloud: LabCloud, scripts: Path, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scripts / "long.sh").write_text(f"sleep {30 * pace()}\n")
    shorten(monkeypatch, "COMMAND_CANCELLED", 0.5)

    async def cancel(hosts: Hosts) -> None:
        running = asyncio.create_task(hosts.run(host, Platform.LINUX, "long", {}, label="long", limit=30))
        await asyncio.sleep(0.5)
        # What a host that hangs looks like: nobody says how the script ended.
        lab_cloud.add_fault("ssm:GetCommandInvocation", code="InvocationDoesNotExist", status=400, times=None)
        with pytest.raises(UnavailableError, match=r"cancelled and has not ended.*The host may hang"):
            await hosts.cancel(host, "long")
        running.cancel()

    moto_vault.run(lambda _: cancel(Hosts(moto_vault.settings.aws_conn_id, 0.05)))


@pytest.mark.parametrize(("code", "times"), [("InvalidInstanceId", 1), ("ThrottlingException", None)])
def test_a_script_that_aws_has_refused_to_send_has_done_nothing(
    moto_vault: VaultUnderTest,
    lab_cloud: LabCloud,
    scripts: Path,
    host: str,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    times: int | None,
) -> None:
    (scripts / "any.sh").write_text("touch ran\n")
    shorten(monkeypatch, "AWS_ANSWER", 0.5)
    lab_cloud.add_fault("ssm:SendCommand", code=code, status=400, times=times)
    with pytest.raises(AwsRejectedError, match=code):
        run(moto_vault, lambda hosts: hosts.run(host, Platform.LINUX, "any", {}, label="any", limit=30))
    assert not lab_cloud.host_path(host, "/ran").exists()


@pytest.mark.parametrize(
    ("status", "details", "code", "nothing"),
    [
        ("Failed", "Failed", 3, True),
        ("Failed", "Failed", 1, False),
        ("TimedOut", "DeliveryTimedOut", -1, True),
        ("TimedOut", "ExecutionTimedOut", -1, False),
        ("Failed", "Undeliverable", -1, True),
        ("Cancelled", "Cancelled", -1, False),
    ],
)
def test_only_a_script_that_says_so_or_never_began_has_changed_nothing(
    status: str, details: str, code: int, nothing: bool
) -> None:
    assert Outcome(status, details, code, "", "").has_changed_nothing is nothing
