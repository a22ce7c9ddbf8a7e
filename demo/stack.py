"""The whole thing on one machine: the lab, PostgreSQL and Airflow's four components, started and stopped together."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx

from demo import database
from demo.environment import airflow_environment, airflow_url
from lab.processes import ProcessError, Processes, procfile_commands
from lab.servers import SERVERS, lab_processes, start_servers
from lab.settings import LabSettings

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
DATABASE_SECONDS = 120
MIGRATION_SECONDS = 600
HEALTHY_SECONDS = 480
"""For a machine that is slow and busy: a process that ends is noticed at once."""


@dataclass(frozen=True)
class Stack:
    """One lab with an Airflow of its own beside it; `extra` adds to the environment of all their processes."""

    settings: LabSettings
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def processes(self) -> Processes:
        return lab_processes(self.settings)

    @property
    def names(self) -> tuple[str, ...]:
        """Every process, in the order in which they start."""
        return (*SERVERS, "database", *COMPONENTS)

    @property
    def environment(self) -> dict[str, str]:
        """What Airflow's components see; good for running any `airflow` command against this stack too."""
        return airflow_environment(self.settings) | self.extra

    def start(self) -> None:
        """Start all processes and wait for the lab, so that seeding can begin while Airflow is still getting up.

        Raises ProcessError, naming the process and its log, when one of them fails.
        """
        self.start_servers()
        for name in COMPONENTS:
            self._start(name)

    def start_servers(self) -> None:
        """Start what Airflow's components stand on: the database, prepared, and the lab; raises as `start` does."""
        self._start("database")
        self.processes.wait_until_ready("database", partial(database.is_ready, self.settings), DATABASE_SECONDS)
        with self._migration():
            start_servers(self.settings, self.extra)

    def restart(self, name: str) -> None:
        """Start one process again that was stopped or killed."""
        self._start(name)

    def wait_until_healthy(self) -> None:
        """Wait until Airflow says of itself that the database and all four components are well.

        Raises ProcessError, naming the component and its log, when one of them is not within its time.
        """
        for name, part in (("scheduler", "scheduler"), ("dag-processor", "dag_processor"), ("triggerer", "triggerer")):
            self.processes.wait_until_ready(name, partial(self._is_healthy, part), HEALTHY_SECONDS)

    def check(self) -> None:
        """Raises ProcessError, naming the process and its log, when one of them has ended by itself."""
        self.processes.check(self.names)

    def stop(self) -> None:
        """Stop all processes that a record is left of: first Airflow's, then the servers they use. Bounded."""
        names = self.processes.names()
        self.processes.stop([name for name in names if name in COMPONENTS])
        self.processes.stop([name for name in names if name not in COMPONENTS])

    def _start(self, name: str) -> None:
        self.processes.start(name, procfile_commands()[name], self.environment)

    @contextmanager
    def _migration(self) -> Iterator[None]:
        """Prepare Airflow's metadata database while the body runs; it is done at the end."""
        command = [str(Path(sys.executable).with_name("airflow")), "db", "migrate"]
        with self.processes.log("migrate").open("ab") as log:
            migration = subprocess.Popen(
                command, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            yield
            code = migration.wait(MIGRATION_SECONDS)
        finally:
            migration.kill()
            migration.wait()
        if code:
            advice = self.processes.log_advice("migrate")
            raise ProcessError(f"Airflow's metadata database could not be prepared (exit code {code}). {advice}")

    def _is_healthy(self, part: str) -> bool:
        try:
            health = httpx.get(f"{airflow_url(self.settings)}/api/v2/monitor/health", timeout=5).json()
        except (httpx.HTTPError, ValueError):
            return False
        return bool(health[part]["status"] == "healthy")
