"""DAG runs as the demo sees them: how far they are, how long they took, and why one failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from demo.airflow_api import AirflowApi, AirflowError

LOG_LINES = 20
NO_STEP_FAILED = "though none of its steps did."


@dataclass(frozen=True)
class Run:
    """One DAG run that went well: whose it is, and how long it and each of its steps took, in seconds."""

    tenant: str
    seconds: float
    steps: dict[str, float]


def require_success(api: AirflowApi, run: dict[str, Any]) -> Run:
    """What an ended run, as Airflow describes it, took; it must have gone well.

    Raises AirflowError, with the log of the step that failed, when it did not succeed.
    """
    tasks = api.tasks(run["dag_id"], run["dag_run_id"])
    if run["state"] != "success":
        failed_task = next((task for task in tasks if task["state"] == "failed"), None)
        reason = f"in its step {failed_task['task_id']}:\n{_log(api, failed_task)}" if failed_task else NO_STEP_FAILED
        raise AirflowError(f"{run['dag_id']} for {tenant_of(run)} failed, {reason}")
    steps = {task["task_id"]: float(task["duration"] or 0) for task in sorted(tasks, key=_started)}
    return Run(tenant_of(run), float(run["duration"] or 0), steps)


def progress(api: AirflowApi, run: dict[str, Any]) -> str:
    """How far a run is, in a few characters: `acme 3/6`."""
    states = [task["state"] for task in api.tasks(run["dag_id"], run["dag_run_id"])]
    return f"{tenant_of(run)} {states.count('success')}/{len(states)}"


def tenant_of(run: dict[str, Any]) -> str:
    """The tenant a run is for: first in its partition key (`acme|daily|2026-11-23`), or in its configuration."""
    return str((run["partition_key"] or run["conf"].get("tenant") or "all tenants").split("|")[0])


def _log(api: AirflowApi, task: dict[str, Any]) -> str:
    log = api.log(task["dag_id"], task["dag_run_id"], task["task_id"], task["try_number"])
    return "\n".join(f"    {line}" for line in log.splitlines()[-LOG_LINES:])


def _started(task: dict[str, Any]) -> str:
    return str(task["start_date"] or "")
