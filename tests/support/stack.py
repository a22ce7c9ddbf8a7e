"""The fixture `stack`: the lab, PostgreSQL and Airflow's four components, seeded, for tests on the real thing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
import pytest

from demo.airflow_api import AirflowApi, AirflowError
from demo.environment import airflow_url
from demo.fingerprint import Fingerprint, fingerprint
from demo.records import worker_starts
from demo.stack import Stack
from demo.vault import manifests
from lab.seed.register import registered
from lab.seed.tenants import seed
from lab.settings import REGION, LabSettings
from lab.testing.deadlines import within
from lab.testing.server import new_settings
from lab.waiting import wait_until

DAGS_SECONDS = within(90)
RUN_SECONDS = within(180)
NOTHING_CHANGES = {
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "3600",
    "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "3600",
}
"""No DAG file is written while the tests run: looking for changes would take 3 CPU-seconds of every minute."""


class RunningStack:
    """A whole stack under test, with the three seeded tenants; `api` is a client of its Airflow."""

    def __init__(self, settings: LabSettings) -> None:
        self.settings = settings
        self.stack = Stack(settings, NOTHING_CHANGES)

    def start(self) -> None:
        """Start everything; a failure shows the log of the process it happened in."""
        self.stack.start()
        seed(self.settings, say=lambda _: None)
        self.stack.wait_until_healthy()
        self.api = AirflowApi(airflow_url(self.settings))

    def stop(self) -> None:
        """Stop everything, also after a start that failed."""
        self.stack.stop()

    def trigger(self, dag_id: str, **conf: Any) -> str:
        """Start a run as an operator does by hand; its id."""
        self.api.wait_for_dags([dag_id], DAGS_SECONDS)
        return self.api.trigger(dag_id, conf)

    def wait_for_run(self, dag_id: str, run_id: str, seconds: float = RUN_SECONDS) -> str:
        """Wait for a run to end; its state, `success` or `failed`."""
        return str(self.api.wait_for_run(dag_id, run_id, seconds)["state"])

    def wait_for_task(
        self, dag_id: str, run_id: str, task_id: str, states: Collection[str], seconds: float = RUN_SECONDS
    ) -> None:
        """Wait until a task is in one of the states, such as `deferred` for a step that the triggerer has begun."""
        wait_until(
            lambda: self.task_states(dag_id, run_id).get(task_id) in states,
            seconds,
            f"{dag_id}.{task_id} has not become {' or '.join(states)} within {seconds:g} s.",
        )

    def task_states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """The state of every task of a run, None for one that is not scheduled yet."""
        return {task["task_id"]: task["state"] for task in self.api.tasks(dag_id, run_id)}

    def log(self, dag_id: str, run_id: str, task_id: str, try_number: int = 1) -> str:
        """A task's log as the UI shows it."""
        return self.api.log(dag_id, run_id, task_id, try_number)

    def xcoms(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Everything that the run's tasks have told each other."""
        return self.api.xcoms(dag_id, run_id)

    def answer(self, dag_id: str, run_id: str, option: str) -> None:
        """Answer the task `approval` under "Required actions", again where Airflow has lost the answer."""
        while True:
            self.wait_for_task(dag_id, run_id, "approval", {"awaiting_input", "success", "failed"})
            if self.task_states(dag_id, run_id)["approval"] != "awaiting_input":
                return
            with suppress(AirflowError):  # the answer before is on its way still
                self.api.answer(dag_id, run_id, "approval", option)
            time.sleep(1)

    def airflow(self, *arguments: str) -> str:
        """Type `airflow dags trigger ...` as on a shell; the id of the run it started."""
        self.api.wait_for_dags([arguments[2]], DAGS_SECONDS)
        command = [str(Path(sys.executable).with_name("airflow")), *arguments, "--output", "json"]
        done = subprocess.run(
            command, env=self.stack.environment, capture_output=True, text=True, timeout=within(120), check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return str(json.loads(done.stdout.splitlines()[-1])[0]["dag_run_id"])

    def volumes_of_restores(self) -> list[str]:
        """Volumes in the cloud that restores have made and not deleted."""
        keys = {"aws_access_key_id": self.settings.access_key, "aws_secret_access_key": self.settings.secret_key}
        ec2 = boto3.client("ec2", endpoint_url=self.settings.cloud_url, region_name=REGION, **keys)
        filters = [{"Name": "tag-key", "Values": ["perennial:restore"]}]
        return [volume["VolumeId"] for volume in ec2.describe_volumes(Filters=filters)["Volumes"]]

    def kill(self, name: str) -> None:
        """SIGKILL one process of the Procfile (`triggerer`, `sqlserver`, ...) with everything it started."""
        self.stack.processes.kill(name)

    def restart(self, name: str) -> None:
        """Start a process again that was killed."""
        self.stack.restart(name)

    def worker_starts(self) -> Counter[str]:
        """How often a worker was started so far, by DAG id, from Airflow's own records."""
        return worker_starts(self.settings)

    def tenant(self, tenant: str) -> dict[str, Any]:
        """The tenant's entry in the register."""
        return registered(self.settings)[tenant]

    def fingerprint(self, tenant: str) -> Fingerprint:
        """What the tenant's web folder and database hold now."""
        return fingerprint(self.settings, self.tenant(tenant))

    def fingerprint_of(self, folder: str, database: str) -> Fingerprint:
        """What any folder and any database hold now."""
        entry = {"web": {"path": folder}, "database": {"name": database}}
        return fingerprint(self.settings, entry)

    def manifests(self, tenant: str) -> list[dict[str, Any]]:
        """The manifests of the tenant's recovery points in the vault."""
        return [manifest for manifest in manifests(self.settings) if manifest["tenant"] == tenant]

    def server_log(self, name: str) -> Path:
        """The log file of one process of the Procfile."""
        return self.stack.processes.log(name)


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """One seeded stack for all tests marked `stack`: take recovery points of your own, and leave all processes up."""
    # Not below pytest's own folder: another pytest that begins meanwhile closes that to the database's user.
    with TemporaryDirectory(prefix="perennial-stack-") as folder:
        running = RunningStack(new_settings(Path(folder)))
        try:
            running.start()
            yield running
        finally:
            running.stop()
