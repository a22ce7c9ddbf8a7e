"""The stack under measurement: one lab with one fleet, and an Airflow that is started anew for each way.

A fresh Airflow for each way has the same peak of memory to begin with, and sees a vault of its own.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from bench.fleet_seed import Fleet
from bench.interrupts import uninterrupted
from bench.limits import AWS_LIMITS
from bench.loop_watchdog import LongCallback, is_watched, long_callbacks, watched
from bench.measuring.meter import Meter
from bench.ways.way import Way
from demo.airflow_api import AirflowApi
from demo.environment import airflow_url
from demo.stack import COMPONENTS, Stack
from lab.environment import PROJECT
from lab.faults.measures import LabMeasures
from lab.processes import procfile_commands
from lab.seed.register import register_all, registered, unregister
from lab.servers import SERVERS
from lab.settings import LabSettings
from lab.testing.server import new_settings
from lab.waiting import wait_until

PARALLELISM = 8
"""Workers at once, for the ways that need workers; four for each core."""
UP_SECONDS, DAGS_SECONDS, WARM_UP_SECONDS = 300.0, 300.0, 600.0
SETTLE_SECONDS = 10.0
BUNDLES = [
    {
        "name": name,
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(folder)},
    }
    for name, folder in (("dags-folder", PROJECT / "dags"), ("bench", PROJECT / "bench" / "dags"))
]
AIRFLOW = {
    "AIRFLOW__CORE__PARALLELISM": str(PARALLELISM),
    "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(BUNDLES),
}
SCHEDULED = ("daily_backups", "confirm_daily_backups", "retention")
"""DAGs that would begin by themselves at some hour of the day, in the midst of a measurement."""
KEPT = "kept"
"""A file by this name in the lab's folder keeps it there."""
HEARTBEATS = {
    "scheduler": "latest_scheduler_heartbeat",
    "dag_processor": "latest_dag_processor_heartbeat",
    "triggerer": "latest_triggerer_heartbeat",
}


@dataclass(frozen=True)
class BenchStack:
    """A running lab and its Airflow.

    Attributes:
        stack: The stack, with the environment of the way at hand.
        triggerers: How many triggerers there are.
        limits: Environment of the lab's servers.
        spare: The register's entry of a tenant to warm up with.
        watch: Whether the callbacks of the triggerers' event loops are timed; that costs a little CPU.
    """

    stack: Stack
    triggerers: int = 1
    limits: Mapping[str, str] = field(default_factory=dict)
    watch: bool = False
    spare: dict[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> LabSettings:
        return self.stack.settings

    @property
    def airflow(self) -> dict[str, int]:
        """Process ids of Airflow's components and of its database, by name."""
        return self._pids([*self._components(), "database"])

    @property
    def lab(self) -> dict[str, int]:
        """Process ids of the lab's servers, by name."""
        names = self.stack.processes.names()
        return self._pids([name for name in names if name not in (*self._components(), "database")])

    @property
    def tenants(self) -> list[str]:
        """The tenants of the lab's register."""
        return list(registered(self.settings))

    @property
    def api(self) -> AirflowApi:
        return AirflowApi(airflow_url(self.settings))

    def start_for(self, way: Way) -> BenchStack:
        """Start Airflow anew, with the vault of this way, and back one tenant up to warm it up; returns this stack."""
        self.stop_airflow()
        environment = {**AIRFLOW, **self.limits, **way.environment(self.settings)}
        ready = replace(self, stack=Stack(self.settings, environment))
        ready._start_components()
        api = ready.api
        api.wait_for_dags([way.dispatch, way.backup, way.by_hand, *SCHEDULED], DAGS_SECONDS)
        for dag_id in SCHEDULED:
            api.pause(dag_id)
        return ready

    def stop_airflow(self) -> None:
        """Stop Airflow's components; its database and the lab go on."""
        self.stack.processes.stop(self._components())

    def warm_up(self, way: Way) -> None:
        """Back the spare tenant up by hand, so that everything is imported and every client made; then wait a moment.

        None of the fleet's tenants may use its snapshots. Raises RuntimeError when that fails.
        """
        self._build_execution_api()
        register_all(self.settings, [self.spare])
        self._back_up(way, self.spare["id"])
        unregister(self.settings, [self.spare["id"]])
        time.sleep(SETTLE_SECONDS)

    def _build_execution_api(self) -> None:
        """The API server builds what workers ask of it at the first request, in 4 s of CPU time, once in its life."""
        httpx.get(f"{airflow_url(self.settings)}/execution/health", timeout=WARM_UP_SECONDS).raise_for_status()

    def _back_up(self, way: Way, tenant: str) -> None:
        api = self.api
        run_id = api.trigger(way.by_hand, way.warm_up(tenant))
        run = api.wait_for_run(way.by_hand, run_id, WARM_UP_SECONDS, self.check)
        if run["state"] != "success":
            raise RuntimeError(f"The warm-up of {way.title} has failed: {way.by_hand} {run_id}. {self.advice}")

    def meter(self, trees: Mapping[str, int]) -> Meter:
        """What measures these process trees, and what they ask the lab for."""
        return Meter(self.settings, self.stack.processes.log("cloud"), trees, self.lab)

    def blocking_callbacks(self) -> list[LongCallback]:
        """Callbacks of the triggerers' event loops that took long, the longest first; none where nobody watches."""
        return long_callbacks(self._callbacks) if self.watch else []

    def keep_logs(self) -> None:
        """Leave the lab's folder where it is at the end: something has gone wrong without an error."""
        (self.settings.state / KEPT).touch()

    @property
    def is_watched(self) -> bool:
        """Whether a triggerer's event loop is being watched: each process that is says so when it begins."""
        return self.watch and is_watched(self._callbacks)

    def check(self) -> None:
        """Raises ProcessError, naming the process and its log, when one has ended by itself."""
        self.stack.processes.check([*SERVERS, "database", *self._components()])

    @property
    def advice(self) -> str:
        """Where to look when something went wrong."""
        return f"Logs are in {self.settings.state / 'logs'} and {self.settings.state / 'airflow' / 'logs'}."

    def _start_components(self) -> None:
        began = datetime.now(UTC)
        for name in self._components():
            is_triggerer = name.startswith("triggerer")
            command = procfile_commands()["triggerer" if is_triggerer else name]
            watch = watched(self._callbacks) if is_triggerer and self.watch else {}
            self.stack.processes.start(name, command, self.stack.environment | watch)

        def all_up() -> bool:
            self.check()
            return all(self._beats_since(began, part) for part in HEARTBEATS)

        wait_until(all_up, UP_SECONDS, f"Airflow is not up after {UP_SECONDS:.0f} s. {self.advice}")

    def _beats_since(self, began: datetime, part: str) -> bool:
        """Whether a component has given a sign of life since then; those of the Airflow before do not count."""
        try:
            health = httpx.get(f"{airflow_url(self.settings)}/api/v2/monitor/health", timeout=5).json()
        except (httpx.HTTPError, ValueError):
            return False
        last = health[part][HEARTBEATS[part]]
        return bool(last) and datetime.fromisoformat(last) > began

    @property
    def _callbacks(self) -> Path:
        return self.settings.state / "callbacks"

    def _components(self) -> list[str]:
        more = [f"triggerer-{number}" for number in range(2, self.triggerers + 1)]
        return [*COMPONENTS, *more]

    def _pids(self, names: list[str]) -> dict[str, int]:
        leaders = {name: self.stack.processes.leader(name) for name in names}
        return {name: leader.pid for name, leader in leaders.items() if leader}


def _seed(fleet: Fleet, settings: LabSettings, limits: Mapping[str, str]) -> dict[str, Any]:
    """Fill the lab without AWS's limits on, as if in weeks: volumes and hosts of thousands in a minute are refused."""
    if AWS_LIMITS.items() <= limits.items():
        measures = LabMeasures(settings)
        measures.set_limits("lab")
        spare = fleet.seed(settings)
        measures.set_limits("aws")
        return spare
    return fleet.seed(settings)


@contextmanager
def bench_stack(fleet: Fleet, limits: Mapping[str, str] | None = None, *, watch: bool = False) -> Iterator[BenchStack]:
    """A lab in a folder of its own, seeded; everything is stopped at the end, and the folder removed unless something
    has failed: its logs are what there is to look at then.
    """
    folder = Path(tempfile.mkdtemp(prefix="perennial-fleet-"))
    settings = new_settings(folder, fleet.servers)
    limits = limits or {}
    stack = BenchStack(Stack(settings, {**AIRFLOW, **limits}), limits=limits, watch=watch)
    done = False
    try:
        stack.stack.start_servers()
        yield replace(stack, spare=_seed(fleet, settings, limits))
        done = True
    except KeyboardInterrupt:
        done = True
        raise
    except Exception as error:
        error.add_note(stack.advice)
        raise
    finally:
        with uninterrupted():
            stack.stack.stop()
        if done and not (settings.state / KEPT).exists():
            shutil.rmtree(folder, ignore_errors=True)
