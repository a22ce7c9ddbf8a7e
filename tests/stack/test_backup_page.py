"""Backups on the real components, by the commands that docs/backup.md tells an operator to type."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.testing.deadlines import within
from lab.waiting import wait_until
from tests.docs.sources import commands
from tests.stack.holdings import assert_one_of_each, manifest_of
from tests.stack.test_backups import add_fault, daily_points, faults
from tests.support.stack import RunningStack
from tests.support.steps import CHAIN

pytestmark = [pytest.mark.stack, pytest.mark.sweep, pytest.mark.timeout(800)]

MANUAL_RUN = "manual__2026-11-23T10:15:02+00:00"
DAILY_KEY = "globex|daily|2026-11-23"


def started(stack: RunningStack, command: str) -> str:
    """Type a command of the page that starts a run; the run's id."""
    return stack.airflow(*shlex.split(command)[1:])


def cleared(stack: RunningStack, command: str) -> str:
    """Type a command of the page that clears runs; what it prints."""
    program, *arguments = shlex.split(command)
    typed = [str(Path(sys.executable).with_name(program)), *arguments]
    done = subprocess.run(
        typed, env=stack.stack.environment, capture_output=True, text=True, timeout=within(120), check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def daily_runs(stack: RunningStack, key: str) -> list[dict[str, Any]]:
    return [run for run in stack.api.runs("tenant_backup") if run["partition_key"] == key]


@pytest.mark.usefixtures("one_day")
def test_every_command_of_the_page_does_what_the_page_says(stack: RunningStack) -> None:
    check, manual, listing, clear_manual, clear_daily, one_tenant, fleet, confirm = commands("backup.md")

    looked = started(stack, check)
    assert stack.wait_for_run("check_register", looked) == "success"
    assert "difference: 0" in stack.log("check_register", looked, "check")

    add_fault(stack.settings, action="ec2:CreateSnapshot", code="InvalidVolume.NotFound", message="no such volume")
    run = started(stack, manual)
    assert stack.wait_for_run("manual_backup", run) == "failed"
    faults(stack.settings, "DELETE")
    cause = "It cannot be relied on: `snapshot_web_volume` failed: Volume vol-"
    assert f"is failed, not verified. {cause}" in stack.log("manual_backup", run, "close")
    assert MANUAL_RUN in clear_manual
    said = cleared(stack, clear_manual.replace(MANUAL_RUN, run))
    assert f"Cleared {len(CHAIN)} task instance(s) across 1 Dag run(s)." in said
    assert stack.wait_for_run("manual_backup", run) == "success"
    manual_point = manifest_of(stack, "acme", run)
    assert (manual_point["attempt"], manual_point["note"]) == (2, "before the update to 9.3")
    assert_one_of_each(stack, manual_point)

    dispatch = started(stack, fleet)
    assert stack.wait_for_run("daily_backups", dispatch) == "success"
    of_the_day = stack.api.run("daily_backups", dispatch)
    day, tenants = of_the_day["run_after"][:10], ("acme", "globex", "initech")
    keys = [f"{tenant}|daily|{day}" for tenant in tenants]
    wait_until(lambda: all(daily_runs(stack, key) for key in keys), within(60), "a tenant got no run")
    runs = [run["dag_run_id"] for key in keys for run in daily_runs(stack, key)]
    assert {stack.wait_for_run("tenant_backup", run) for run in runs} == {"success"}
    made = [point for tenant in tenants for point in daily_points(stack, tenant, of_the_day)]
    assert [manifest["state"] for manifest in made] == ["verified"] * 3

    assert DAILY_KEY in clear_daily
    assert "Cleared" in cleared(stack, clear_daily.replace(DAILY_KEY, keys[1]))
    again = [*(run["dag_run_id"] for run in daily_runs(stack, keys[1])), started(stack, one_tenant)]
    assert {stack.wait_for_run("tenant_backup", run) for run in again} == {"success"}
    assert "verified already: there is nothing to do" in stack.log("tenant_backup", again[-1], "open")
    now = [point for tenant in tenants for point in daily_points(stack, tenant, of_the_day)]
    assert now == made, "a verified point was changed by the same request again"

    checked = started(stack, confirm)
    assert stack.wait_for_run("confirm_daily_backups", checked) == "success"
    listed = started(stack, listing)
    assert stack.wait_for_run("list_recovery_points", listed) == "success"
    log = stack.log("list_recovery_points", listed, "list")
    assert manual_point["id"] in log
    assert f"acme-daily-{day.replace('-', '')}" in log
