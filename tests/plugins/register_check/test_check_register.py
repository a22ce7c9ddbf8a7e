"""`check_register`: what the register says is looked at, shown as a table, and nothing is touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from shutil import which
from typing import Any

import pytest

from include.rules.errors import ConfigurationError, UnavailableError
from include.rules.register.findings import Finding
from include.rules.register.tenants import Platform, Tenant
from perennial.hooks.aws.host_scripts import script_lines
from perennial.register_check import steps
from perennial.register_check.checks import CHECKS, Check
from perennial.register_check.steps import CheckRegisterTrigger
from perennial.settings import Settings
from tests.support.triggers import trigger_of
from tests.support.volumes import mount_again, unmount
from tests.support.world import World

pytestmark = pytest.mark.lab

finds_nothing_else = pytest.mark.skipif(not which("rsync"), reason="no rsync on this machine: each host gets a note")


def check(world: World, tenant: str = "") -> dict[str, Any]:
    trigger = trigger_of(CheckRegisterTrigger, dag_id="check_register", tenant=tenant)
    return world.runner.run(trigger.work_within_deadline())


@finds_nothing_else
def test_one_run_looks_at_all_tenants_and_touches_nothing(world: World) -> None:
    world.add_tenant("globex")
    world.entries["broken"] = {"id": "broken", "plan": "no-such-plan"}
    del world.entries["globex"]["database"]["mount"]
    world.write_register()
    unmount(world)
    result = check(world)
    rows = [line.split(" | ")[:3] for line in result["findings"].splitlines()[2:]]
    assert rows == [
        ["| difference", "broken", "entry 1"],
        ["| difference", "acme", "volumes"],
        ["| note", "globex", "volumes"],
    ]
    assert "nothing is mounted on" in result["findings"]
    assert (result["tenants"], result["difference"], result["not looked at"], result["note"]) == (2, 2, 0, 1)
    assert world.runner.run(world.vault.tenants()) == []
    assert world.runner.run(world.vault.lease("acme")) is None


@finds_nothing_else
def test_a_tenant_whose_entry_is_right_has_no_findings(world: World) -> None:
    assert check(world, "acme")["findings"] == "Nothing was found."


def test_one_tenant_is_looked_at_alone_and_one_that_is_not_there_is_refused(world: World) -> None:
    world.add_tenant("globex")
    unmount(world)
    assert (check(world, "globex")["tenants"], check(world, "globex")["difference"]) == (1, 0)
    with pytest.raises(ConfigurationError, match="There is no tenant 'nobody' in the register"):
        check(world, "nobody")


def test_what_cannot_be_asked_is_a_finding_and_stops_no_other_check(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(tenant: Tenant, settings: Settings) -> Iterable[Finding]:
        raise UnavailableError("The moon does not answer.", todo="Wait for the night.")

    monkeypatch.setattr(steps, "CHECKS", (Check("moon", fails), *CHECKS))
    world.cloud.add_fault("ssm:SendCommand", code="InvalidInstanceId", status=400, times=None)
    table = check(world, "acme")["findings"]
    assert "| not looked at | acme | moon | The moon does not answer. | - | Wait for the night. |" in table
    assert table.count("could not be asked") == 2
    monkeypatch.setattr(steps, "CHECKS", (Check("moon", fails),))
    with pytest.raises(UnavailableError, match=r"Nothing of 1 tenants could be looked at.*The moon does not answer"):
        check(world, "acme")


def test_an_answer_that_nobody_has_foreseen_keeps_no_other_tenant_from_being_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = world.add_tenant("globex")["web"]["path"]

    def garbled(platform: Platform, script: str, parameters: Mapping[str, str]) -> list[str]:
        is_asked = script == "inspect_host" and parameters["FOLDER"] == folder
        return ["echo no JSON; exit"] if is_asked else script_lines(platform, script, parameters)

    monkeypatch.setattr("perennial.hooks.aws.hosts.script_lines", garbled)
    unmount(world)
    result = check(world)
    assert (result["tenants"], result["difference"], result["not looked at"]) == (2, 1, 1)
    assert "the check restorable has failed with JSONDecodeError" in result["findings"]


def test_a_check_sees_what_was_mended_a_moment_ago(world: World) -> None:
    unmount(world)
    assert check(world, "acme")["difference"] == 1
    mount_again(world)
    assert check(world, "acme")["difference"] == 0
