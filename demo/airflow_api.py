"""A small client of Airflow's REST API: trigger a DAG, watch its run, read its tasks and logs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

TERMINAL = ("success", "failed")
POLL_SECONDS = 0.5
ANSWER_SECONDS = 120
"""For a machine that is slow and busy: an answer takes milliseconds."""
PAGE = 100  # Airflow's own maximum for one answer


class AirflowError(RuntimeError):
    """Airflow refused a request, or a run did not end as it should."""


class AirflowApi:
    """One Airflow on this machine, in which everybody is an administrator.

    `url` is the address of its API server. Where it refuses, methods raise AirflowError with the server's own words.
    """

    def __init__(self, url: str) -> None:
        token = httpx.get(f"{url}/auth/token", timeout=ANSWER_SECONDS).raise_for_status().json()["access_token"]
        self._client = httpx.Client(
            base_url=f"{url}/api/v2",
            headers={"Authorization": f"Bearer {token}"},
            timeout=ANSWER_SECONDS,
            trust_env=False,
        )

    def has_dag(self, dag_id: str) -> bool:
        """Whether the DAG has been parsed and can be triggered."""
        return self._client.get(f"/dags/{dag_id}").status_code == httpx.codes.OK

    def wait_for_dags(self, dag_ids: list[str], seconds: float) -> None:
        """Wait until all the DAGs are known; raises AirflowError with the import errors when some are not in time."""
        deadline = time.monotonic() + seconds
        while missing := [dag_id for dag_id in dag_ids if not self.has_dag(dag_id)]:
            if time.monotonic() > deadline:
                errors = [error["stack_trace"] for error in self._get("/importErrors")["import_errors"]]
                reason = "\n".join(errors) or "It reports no import errors: is the dag-processor running?"
                raise AirflowError(f"Airflow does not know {', '.join(missing)} after {seconds:.0f} s. {reason}")
            time.sleep(POLL_SECONDS)

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Start a run now, unpausing the DAG if need be; the run's id."""
        self._send("PATCH", f"/dags/{dag_id}", {"is_paused": False})
        run = self._send("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf or {}})
        return str(run["dag_run_id"])

    def pause(self, dag_id: str) -> None:
        """Let no run of the DAG begin by itself; those that are under way go on."""
        self._send("PATCH", f"/dags/{dag_id}", {"is_paused": True})

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One DAG run as Airflow describes it: `state`, `start_date`, `end_date`, `partition_key`, ..."""
        return self._get(f"/dags/{dag_id}/dagRuns/{run_id}")

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """All runs of a DAG, oldest first (at most 100)."""
        answer = self._get(f"/dags/{dag_id}/dagRuns", limit=PAGE, order_by="id")
        return list(answer["dag_runs"])

    def mark(self, dag_id: str, run_id: str, state: str) -> None:
        """What an operator does by "Mark run as failed" (or success)."""
        self._send("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}", {"state": state})

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The run's task instances: `task_id`, `state`, `try_number`, `start_date`, `end_date`, ..."""
        answer = self._get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances", limit=PAGE)
        return list(answer["task_instances"])

    def clear(self, dag_id: str, run_id: str, task_ids: list[str], *, alone: bool = False) -> None:
        """What an operator does by "Clear task": the tasks, and those after them unless `alone`, run again."""
        body = {
            "dag_run_id": run_id,
            "task_ids": task_ids,
            "dry_run": False,
            "include_downstream": not alone,
            "only_failed": False,
        }
        self._send("POST", f"/dags/{dag_id}/clearTaskInstances", body)

    def answer(self, dag_id: str, run_id: str, task_id: str, option: str) -> None:
        """What an operator does under "Required actions": choose an option of a task that waits for a person."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        self._send("PATCH", path, {"chosen_options": [option], "params_input": {}})

    def xcoms(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """What the run's tasks have returned or told, with its values: `task_id`, `key`, `value`."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        entries = self._get(f"{path}/~/xcomEntries", limit=PAGE)["xcom_entries"]
        return [self._get(f"{path}/{entry['task_id']}/xcomEntries/{entry['key']}") for entry in entries]

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> str:
        """A task's log as the UI shows it, one event a line."""
        answer = self._get(f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}")
        lines = answer["content"]
        return "\n".join(line if isinstance(line, str) else str(line.get("event", line)) for line in lines)

    def wait_for_run(
        self, dag_id: str, run_id: str, seconds: float, tick: Callable[[], None] = lambda: None
    ) -> dict[str, Any]:
        """Wait until the run has ended, well or not, and call `tick` at every look.

        Raises AirflowError when it has not ended within `seconds`.
        """
        deadline = time.monotonic() + seconds
        while (run := self.run(dag_id, run_id))["state"] not in TERMINAL:
            tick()
            if time.monotonic() > deadline:
                states = {task["task_id"]: task["state"] for task in self.tasks(dag_id, run_id)}
                raise AirflowError(
                    f"{dag_id} {run_id} has not ended within {seconds:.0f} s: {run['state']}, tasks {states}."
                )
            time.sleep(POLL_SECONDS)
        tick()
        return run

    def _get(self, path: str, **query: Any) -> dict[str, Any]:
        return self._answer(self._client.get(path, params=query))

    def _send(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._answer(self._client.request(method, path, json=body))

    def _answer(self, response: httpx.Response) -> dict[str, Any]:
        if response.is_error:
            request = response.request
            raise AirflowError(
                f"Airflow answered {response.status_code} to {request.method} {request.url.path}: {response.text}"
            )
        answer: dict[str, Any] = response.json()
        return answer
