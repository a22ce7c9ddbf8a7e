"""Backups on the real components: scheduler, triggerer, PostgreSQL, and the lab's servers behind them."""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection
from typing import Any

import pymssql
import pytest
import yaml

from bench.measuring.records import Dispatch
from include.rules.register.register import parse_register
from lab.seed.shop import connect_arguments
from lab.settings import HOST, LabSettings
from lab.sqlserver.engine.control import Control
from lab.testing.deadlines import pace, within
from lab.waiting import wait_until
from tests.stack.holdings import assert_one_of_each, lease_of, manifest_of
from tests.support.benchmarks import assert_a_benchmark_sees
from tests.support.stack import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(420)]

HELD_SECONDS = 6 * pace()
"""How long a call is held up, so that whoever made it dies before its answer."""


def faults(settings: LabSettings, method: str, rules: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    connection = HTTPConnection(HOST, settings.cloud_port, timeout=within(10))
    connection.request(method, "/lab/faults", json.dumps(rules), {"Content-Type": "application/json"})
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    connection.close()
    return answer


def add_fault(settings: LabSettings, **rule: Any) -> None:
    """The next call that the rule fits is not what it should be; earlier rules and hits are forgotten."""
    faults(settings, "DELETE")
    assert faults(settings, "POST", [rule])["rules"]


def wait_for_fault(settings: LabSettings) -> None:
    """Wait until the call that the rule fits has come in."""
    wait_until(lambda: bool(faults(settings, "GET")["hits"]), within(60), "the call with the fault never came")


def wait_for_running(stack: RunningStack, command: str) -> None:
    """Wait until SQL Server is in the midst of a statement, such as BACKUP DATABASE."""
    query = f"SELECT COUNT(*) FROM sys.dm_exec_requests WHERE command LIKE N'{command}%' AND percent_complete > 0"

    def running() -> bool:
        options = connect_arguments(stack.settings)
        with pymssql.connect(database="master", **options) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            return bool(cursor.fetchall()[0][0])

    wait_until(running, within(90), f"no {command} was seen")


def slow_backups(stack: RunningStack, seconds: float) -> None:
    Control(backup_seconds=seconds).write(stack.settings.state / "sqlserver")


def test_the_seeded_register_is_one_that_perennial_reads_without_a_problem(stack: RunningStack) -> None:
    tenants, plans = (stack.settings.state / "config" / name for name in ("tenants.yaml", "plans.yaml"))
    parsed = [yaml.safe_load(file.read_text()) for file in (tenants, plans)]
    found = parse_register(*parsed, tenants_source="tenants.yaml", plans_source="plans.yaml")
    assert sorted(found.tenants) == ["acme", "globex", "initech"]
    assert found.problems == ()


def daily_points(stack: RunningStack, tenant: str, run: dict[str, Any]) -> list[dict[str, Any]]:
    """The tenant's daily recovery points that were made on the day of a run of the fleet."""
    day = run["run_after"][:10]
    daily = [manifest for manifest in stack.manifests(tenant) if manifest["kind"] == "daily"]
    return [manifest for manifest in daily if (manifest["time"] or manifest["opened_at"]).startswith(day)]


def tenant_backups(stack: RunningStack) -> set[str]:
    """The ids of all runs of tenant_backup; other tests share the stack, and start some of their own."""
    return {run["dag_run_id"] for run in stack.api.runs("tenant_backup")}


@pytest.mark.timeout(800)
@pytest.mark.usefixtures("one_day")
def test_the_fleet_is_backed_up_once_a_day_and_without_any_worker(stack: RunningStack) -> None:
    earlier = tenant_backups(stack)
    first = dispatch = ""
    for _ in range(2):
        dispatch = stack.trigger("daily_backups")
        first = first or dispatch
        assert stack.wait_for_run("daily_backups", dispatch) == "success"
    wait_until(lambda: len(tenant_backups(stack) - earlier) == 6, within(60), "six runs of tenant_backup were expected")
    runs = tenant_backups(stack) - earlier
    assert {stack.wait_for_run("tenant_backup", run) for run in runs} == {"success"}
    for tenant in ("acme", "globex", "initech"):
        daily = daily_points(stack, tenant, stack.api.run("daily_backups", dispatch))
        assert len(daily) == 1
        assert daily[0]["attempt"] == 1
        assert_one_of_each(stack, daily[0])
    starts = stack.worker_starts()
    assert starts["tenant_backup"] == 0
    assert starts["daily_backups"] >= 2
    assert_a_benchmark_sees(stack, Dispatch("daily_backups", first), runs=6)


@pytest.mark.timeout(800)
@pytest.mark.usefixtures("one_day")
def test_the_noon_check_queues_what_is_missing_and_confirms_the_day(stack: RunningStack) -> None:
    run = stack.trigger("confirm_daily_backups", wait_minutes=3)
    assert stack.wait_for_run("confirm_daily_backups", run) == "success"
    for tenant in ("acme", "globex", "initech"):
        daily = daily_points(stack, tenant, stack.api.run("confirm_daily_backups", run))
        assert [manifest["state"] for manifest in daily] == ["verified"]


def test_a_triggerer_killed_while_a_snapshot_is_asked_for_ends_in_one_recovery_point(stack: RunningStack) -> None:
    # The call arrives, and is carried out after the one who asked has died: nobody has heard the answer.
    add_fault(stack.settings, action="ec2:CreateSnapshot", delay=HELD_SECONDS)
    run = stack.trigger("manual_backup", tenant="acme", note="snapshot test")
    wait_for_fault(stack.settings)
    stack.kill("triggerer")
    time.sleep(HELD_SECONDS)
    stack.restart("triggerer")
    assert stack.wait_for_run("manual_backup", run) == "success"
    manifest = manifest_of(stack, "acme", run)
    assert manifest["note"] == "snapshot test"
    assert_one_of_each(stack, manifest)


@pytest.mark.sweep  # `make test` kills one while a snapshot is asked for
def test_a_triggerer_killed_in_the_middle_of_a_bak_ends_in_one_recovery_point(stack: RunningStack) -> None:
    slow_backups(stack, 20)
    run = stack.trigger("manual_backup", tenant="globex")
    wait_for_running(stack, "BACKUP DATABASE")
    stack.kill("triggerer")
    slow_backups(stack, 0)
    stack.restart("triggerer")
    assert stack.wait_for_run("manual_backup", run) == "success"
    manifest = manifest_of(stack, "globex", run)
    assert manifest["claim"]["number"] == 2, "the statement died with its connection, so a second file was needed"
    assert_one_of_each(stack, manifest)


def test_a_run_marked_failed_in_its_midst_leaves_no_lease_and_can_be_begun_again(stack: RunningStack) -> None:
    slow_backups(stack, 60)
    run = stack.trigger("manual_backup", tenant="initech")
    wait_for_running(stack, "BACKUP DATABASE")
    stack.api.mark("manual_backup", run, "failed")
    stack.wait_for_task("manual_backup", run, "close", {"success", "failed", "upstream_failed"})
    slow_backups(stack, 0)
    wait_until(lambda: lease_of(stack, "initech")["owner"] is None, within(30), "the lease was not given back")
    broken = manifest_of(stack, "initech", run)
    assert (broken["state"], broken["failures"][0]["step"]) == ("failed", "backup_database")
    assert "`backup_database` failed: The task was ended from outside" in broken["failure"]
    assert stack.wait_for_run("manual_backup", run) == "failed"
    closing = stack.log("manual_backup", run, "close")
    assert broken["failure"] in closing
    assert "Airflow does not say" not in closing

    stack.api.clear("manual_backup", run, ["open"])
    assert stack.wait_for_run("manual_backup", run) == "success"
    manifest = manifest_of(stack, "initech", run)
    assert manifest["attempt"] == 2
    assert_one_of_each(stack, manifest)


@pytest.mark.sweep  # the test before this one has the case in which the step itself can say so
def test_a_step_that_is_marked_failed_while_no_triggerer_runs_is_named_by_close(stack: RunningStack) -> None:
    slow_backups(stack, 20)
    run = stack.trigger("manual_backup", tenant="globex")
    wait_for_running(stack, "BACKUP DATABASE")
    stack.kill("triggerer")
    stack.api.mark("manual_backup", run, "failed")
    slow_backups(stack, 0)
    stack.restart("triggerer")
    assert stack.wait_for_run("manual_backup", run) == "failed"
    manifest = manifest_of(stack, "globex", run)
    closing = stack.log("manual_backup", run, "close")
    assert str(manifest["failure"]).startswith("`backup_database` failed: The task was ended from outside"), closing
    assert manifest["failure"] in closing


def test_a_failure_is_told_in_the_log_and_closes_the_point_and_no_secret_is_told(stack: RunningStack) -> None:
    add_fault(stack.settings, action="ec2:CreateSnapshot", code="InvalidVolume.NotFound", message="no such volume")
    run = stack.trigger("manual_backup", tenant="acme")
    assert stack.wait_for_run("manual_backup", run) == "failed"
    manifest = manifest_of(stack, "acme", run)
    assert manifest["state"] == "failed"
    assert lease_of(stack, "acme")["owner"] is None
    assert "of tenant acme could not be snapshotted" in stack.log("manual_backup", run, "snapshot_web_volume")
    closing = stack.log("manual_backup", run, "close")
    assert f"Recovery point {manifest['id']} of tenant acme is failed, not verified." in closing
    assert "clear the task `open`" in closing
    # Airflow was asked as well, and has said the same.
    assert "Airflow does not say" not in closing
    assert [failure["step"] for failure in manifest["failures"]] == ["snapshot_web_volume"]

    secrets = (stack.settings.secret_key, stack.settings.sql_password)
    logs = [path for path in (stack.settings.state / "airflow" / "logs").rglob("*.log") if path.is_file()]
    assert len(logs) > 3
    for path in [*logs, *(stack.settings.state / "logs").glob("*.log")]:
        text = path.read_text(errors="replace")
        assert not any(secret in text for secret in secrets), f"{path.name} tells a secret"
    told = json.dumps([stack.manifests("acme"), stack.api.runs("manual_backup"), stack.xcoms("manual_backup", run)])
    assert not any(secret in told for secret in secrets)
