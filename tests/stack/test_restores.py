"""Restores on the real components: what docs/restore.md tells an operator to type, an approval, and two kills."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from demo.fingerprint import Fingerprint
from lab.faults.control import FaultControl
from lab.sqlserver.engine.control import Control
from lab.testing.deadlines import within
from lab.waiting import wait_until
from lab.wreck import wreck
from tests.docs.sources import commands
from tests.stack.holdings import lease_of
from tests.stack.test_backups import HELD_SECONDS, wait_for_running
from tests.support.stack import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420)]

TENANTS = ("acme", "globex", "initech")


def typed(stack: RunningStack, command: str, safety_point: str = "") -> str:
    """Type a command of the page, with this machine's folders and names; the id of the run it started."""
    for tenant in TENANTS:
        command = command.replace(f"/srv/{tenant}", str(stack.tenant(tenant)["web"]["mount"]))
    return stack.airflow(*shlex.split(command.replace("acme-safety-20261123T101502Z", safety_point))[1:])


def assert_success(stack: RunningStack, *runs: str) -> None:
    """Every one of these restores came to its end."""
    assert {run: stack.wait_for_run("restore", run) for run in runs} == dict.fromkeys(runs, "success")


def told(stack: RunningStack, run: str) -> dict[str, Any]:
    """What the closing task of a restore told; a triggerer's XCom is the JSON text of it."""
    values = {x["task_id"]: x["value"] for x in stack.xcoms("restore", run) if x["key"] == "return_value"}
    closing: dict[str, Any] = json.loads(values["close"])
    return closing


def fingerprints(stack: RunningStack) -> dict[str, Fingerprint]:
    return {tenant: stack.fingerprint(tenant) for tenant in TENANTS}


def back_up(stack: RunningStack, *tenants: str) -> None:
    runs = [stack.trigger("manual_backup", tenant=tenant) for tenant in tenants]
    assert {stack.wait_for_run("manual_backup", run) for run in runs} == {"success"}


def assert_nothing_is_left(stack: RunningStack) -> None:
    """No volume, no lease, and every site online."""
    for tenant in TENANTS:
        assert lease_of(stack, tenant)["owner"] is None, tenant
        assert not (Path(stack.tenant(tenant)["web"]["path"]) / "app_offline.htm").exists()
    assert stack.volumes_of_restores() == []


def show_seconds(stack: RunningStack, run: str) -> None:
    """Print how long each step of a restore took (-s shows it)."""
    tasks = stack.api.tasks("restore", run)
    print(json.dumps({task["task_id"]: round(task["duration"] or 0, 1) for task in tasks}))


@pytest.mark.sweep
def test_every_command_of_the_page_does_what_the_page_says(stack: RunningStack) -> None:
    back_up(stack, *TENANTS)
    before = fingerprints(stack)
    listing, in_place, files, beside, into, snapshot, undo = commands("restore.md")
    for tenant in TENANTS:
        wreck(stack.settings, stack.tenant(tenant))
    wrecked = fingerprints(stack)

    listed = typed(stack, listing)
    first = [typed(stack, command) for command in (in_place, files, beside)]
    assert stack.wait_for_run("list_recovery_points", listed) == "success"
    assert_success(stack, *first)
    assert stack.task_states("restore", first[0])["approval"] == "skipped"
    show_seconds(stack, first[0])
    assert stack.fingerprint("acme") == before["acme"]
    assert stack.fingerprint("globex") == Fingerprint(before["globex"].files, wrecked["globex"].tables)
    assert stack.fingerprint("initech") == wrecked["initech"]
    old = f"{stack.tenant('initech')['web']['mount']}/old/site"
    assert stack.fingerprint_of(old, "shop_initech_old") == before["initech"]

    into_globex = typed(stack, into)
    second = [typed(stack, snapshot), typed(stack, undo, told(stack, first[0])["safety_point"])]
    stack.wait_for_task("restore", into_globex, "approval", {"awaiting_input"})
    assert lease_of(stack, "globex")["owner"] is None, "a lease is held while a person is waited for"
    stack.answer("restore", into_globex, "Approve")
    assert_success(stack, into_globex, *second)
    assert stack.fingerprint("globex") == before["acme"]
    assert stack.fingerprint("initech") == Fingerprint(wrecked["initech"].files, before["initech"].tables)
    assert stack.fingerprint("acme") == wrecked["acme"]
    assert_nothing_is_left(stack)


def test_a_restore_that_is_turned_down_touches_nothing(stack: RunningStack) -> None:
    back_up(stack, "acme")
    before = fingerprints(stack)
    run = stack.trigger("restore", tenant="acme", confirm="acme", approval=True)
    stack.answer("restore", run, "Reject")
    assert stack.wait_for_run("restore", run) == "failed"
    assert fingerprints(stack) == before
    assert_nothing_is_left(stack)


@pytest.mark.sweep  # `make test` kills one while a snapshot is asked for
def test_a_triggerer_killed_during_the_copy_and_during_the_restore_ends_right(stack: RunningStack) -> None:
    back_up(stack, "initech")
    before = stack.fingerprint("initech")
    wreck(stack.settings, stack.tenant("initech"))
    faults = FaultControl.of(stack.settings, "cloud")
    # The script is started after the one who asked for it has died: nobody has heard the answer.
    faults.add("ssm:SendCommand", match=" copy", delay=HELD_SECONDS)
    Control(restore_seconds=15).write(stack.settings.state / "sqlserver")
    run = stack.trigger("restore", tenant="initech", confirm="initech")
    wait_until(lambda: bool(faults.hits()), within(90), "the copy never began")
    stack.kill("triggerer")
    time.sleep(HELD_SECONDS)
    stack.restart("triggerer")
    wait_for_running(stack, "RESTORE DATABASE")
    stack.kill("triggerer")
    Control().write(stack.settings.state / "sqlserver")
    stack.restart("triggerer")
    assert stack.wait_for_run("restore", run) == "success"
    assert stack.fingerprint("initech") == before
    assert_nothing_is_left(stack)
