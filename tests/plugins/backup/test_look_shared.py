"""The look before a snapshot: what is shared, what is asked again, and what becomes of a host that does not say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from include.rules.errors import PartError, PerennialError
from include.rules.points.levels import not_looked_at
from include.rules.points.listing import table
from include.rules.points.parts import PartName, SnapshotRole
from include.rules.points.transitions import State
from include.rules.register.findings import Finding
from include.rules.register.tenants import Platform
from perennial.backup.look import look_at_volume
from perennial.hooks.aws.host_scripts import script_lines
from perennial.hooks.freshness import Freshness
from perennial.hooks.sql_server.server import SqlServer
from tests.support.holdings import assert_one_of_each
from tests.support.steps import CHAIN, CLOSE, OPEN, TODAY, VERIFY, WEB, chain_before
from tests.support.volumes import look, mount_again, unmount, web
from tests.support.world import World

pytestmark = pytest.mark.lab

GLOBEX = "globex|daily|2026-11-23"


def let_a_neighbour_hang(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of another tenant of the host answers nobody."""
    globex = world.add_tenant("globex")["web"]
    globex["instance"], globex["mount"], globex["path"] = web(world)["instance"], "/net/globex", "/net/globex/site"
    world.write_register()
    monkeypatch.setattr("perennial.hooks.aws.host_look.SECONDS", 1)
    running_first(monkeypatch, "sleep 30", lambda folders: "/net/globex" in folders)


@pytest.mark.parametrize(
    "silence",
    [
        {"action": "ssm:SendCommand", "code": "InvalidInstanceId", "status": 400},
        pytest.param({"action": "ssm:SendCommand", "drop": True}, marks=pytest.mark.sweep),
        pytest.param(
            {"action": "ssm:GetCommandInvocation", "code": "AccessDeniedException", "status": 400},
            marks=pytest.mark.sweep,
        ),
        {"action": "ec2:DescribeVolumes", "code": "UnauthorizedOperation", "status": 403},
    ],
    ids=lambda rule: f"{rule['action']} {rule.get('code', 'dropped')}",
)
def test_a_host_that_does_not_say_leaves_the_point_at_level_1_and_its_bak_is_read_all_the_same(
    world: World, silence: dict[str, Any]
) -> None:
    world.cloud.add_fault(**silence, times=None)
    for step in CHAIN[:-1]:
        result = world.run(step, TODAY)
    assert result["level"] == 1
    assert set(result["not_looked_at"]) == {"web_snapshot", "db_snapshot"}
    manifest = world.manifest(TODAY)
    assert manifest.state is State.VERIFIED
    assert manifest.verification
    assert manifest.verification.level == 1
    assert "RESTORE VERIFYONLY WITH CHECKSUM" in manifest.verification.checks
    assert set(not_looked_at(manifest)) == {"web_snapshot", "db_snapshot"}
    assert "level 1 only: the volume of the web_snapshot was not looked at" in world.run(CLOSE, TODAY)["message"]
    assert "web (shared, not looked at), db (shared, not looked at), .bak" in table([manifest])


def running_first(monkeypatch: pytest.MonkeyPatch, line: str, where: Callable[[str], bool]) -> None:
    """Let the script that looks at volumes begin with a line of shell, where its folders are those."""

    def changed(platform: Platform, script: str, parameters: Mapping[str, str]) -> list[str]:
        first = [line] if script == "inspect_volumes" and where(parameters["FOLDERS"]) else []
        return [*first, *script_lines(platform, script, parameters)]

    monkeypatch.setattr("perennial.hooks.aws.hosts.script_lines", changed)


def test_a_script_that_does_not_end_leaves_the_volume_not_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perennial.hooks.aws.host_look.SECONDS", 1)
    running_first(monkeypatch, "sleep 30", lambda folders: True)
    world.run(OPEN, TODAY)
    world.run(WEB, TODAY)
    assert "TimedOut" in look(world, "web_snapshot").not_looked_at


def test_an_answer_that_is_cut_off_leaves_the_volume_not_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    running_first(monkeypatch, 'echo \'{"mounts": {"1": ["/srv\'; exit', lambda folders: True)
    world.run(OPEN, TODAY)
    world.run(WEB, TODAY)
    assert "its answer cannot be read" in look(world, "web_snapshot").not_looked_at


def test_a_folder_of_another_tenant_that_hangs_keeps_nobody_else_from_being_looked_at(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_a_neighbour_hang(world, monkeypatch)
    world.run(OPEN, TODAY)
    world.run(WEB, TODAY)
    assert look(world, "web_snapshot").not_looked_at == ""


def test_a_folder_of_another_tenant_that_hangs_is_waited_for_once_and_not_by_each_of_its_neighbours(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_a_neighbour_hang(world, monkeypatch)
    world.run(OPEN, TODAY)
    world.cloud.add_fault("ssm:SendCommand", delay=0.01, times=None)
    acme = world.manifest(TODAY).source

    async def ask_anew() -> tuple[Finding, ...]:
        return (await look_at_volume(world.vault.settings, acme, SnapshotRole.WEB, Freshness.within(0))).findings

    sent = []
    for _ in range(2):
        before = len(world.cloud.fault_hits())
        assert world.runner.run(ask_anew()) == ()
        sent.append(len(world.cloud.fault_hits()) - before)
    assert sent == [2, 1]


def test_a_backup_sends_no_command_of_its_own_to_a_host_that_was_asked_and_its_server_says_once_where_files_lie(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    logins: list[str] = []
    opened = SqlServer._open

    def counted(server: SqlServer, *arguments: Any) -> Any:
        logins.append(server.program)
        return opened(server, *arguments)

    monkeypatch.setattr(SqlServer, "_open", counted)
    for tenant in ("globex", "initech"):
        world.add_tenant(tenant)
    world.cloud.add_fault("ssm:SendCommand", delay=0.01, times=None)
    sent, asked = [], []
    for request in (TODAY, GLOBEX, "initech|daily|2026-11-23"):
        logins.clear()
        before = len(world.cloud.fault_hits())
        world.back_up(request)
        sent.append(len(world.cloud.fault_hits()) - before)
        asked.append(len(logins))
    assert asked == [3, 2, 2]  # where files lie, the server says once for all of its tenants
    assert sent == [2, 1, 1]  # each has a web host of its own; that of the databases was asked by the first


def test_a_difference_that_was_seen_before_is_looked_at_again_before_it_fails_anybody(world: World) -> None:
    unmount(world)
    world.run(OPEN, TODAY)
    with pytest.raises(PartError, match="nothing is mounted"):
        world.run(WEB, TODAY)
    mount_again(world)
    assert "snapshot" in world.run(WEB, TODAY)


def seen_by(world: World, request: str) -> str:
    """Why the tenant's web volume was not looked at before the snapshot of a point; empty when it was."""
    world.run(OPEN, request)
    world.run(WEB, request)
    return world.manifest(request).looks[PartName.WEB_SNAPSHOT].not_looked_at


@pytest.mark.parametrize("by", ["acme|daily|2026-11-25", "acme|manual|2026-11-24T10:00:00Z"])
def test_a_host_that_says_nothing_is_asked_again_after_five_minutes_and_at_once_for_a_backup_by_hand(
    world: World, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    world.cloud.add_fault("ssm:SendCommand", code="InvalidInstanceId", status=400)
    silence = seen_by(world, TODAY)
    assert "could not be asked" in silence
    assert seen_by(world, "acme|daily|2026-11-24") == silence
    if "|daily|" in by:
        monkeypatch.setattr("perennial.backup.look.FRESH_SECONDS", 0.0)
    assert seen_by(world, by) == ""


def test_a_script_that_one_tenants_folder_holds_up_is_no_silence_of_the_host(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_a_neighbour_hang(world, monkeypatch)
    with pytest.raises(PartError):
        seen_by(world, GLOBEX)
    assert seen_by(world, TODAY) == ""


def test_a_register_that_was_corrected_between_two_attempts_gets_a_new_snapshot(world: World) -> None:
    world.cloud.add_fault("ssm:SendCommand", code="InvalidInstanceId", status=400)
    for step in chain_before(VERIFY):
        world.run(step, TODAY)
    first = world.manifest(TODAY).parts
    with pytest.raises(PerennialError):
        world.run(CLOSE, TODAY)
    again = world.back_up(TODAY, "run-2")
    assert again.verification
    assert again.verification.level == 2
    assert (again.parts.web_snapshot == first.web_snapshot, again.parts.db_snapshot == first.db_snapshot) == (
        False,
        True,
    )
    assert_one_of_each(world, TODAY)
