"""How fast retention is planned, and how fast restic decides about the same timelines where it is installed.

    python -m bench.retention [RESTIC]      path of a restic to compare with; the one on PATH if nothing is said

First the planner alone, against its limits (best of several runs, processor time). Then planner and restic beside each
other, both in wall time and processor time (user and system) in milliseconds, on the same times in the same store (the
lab's S3, started for it):

    read and decide    all manifests are read from the vault, and planned; restic reads all snapshots, its cache empty
    the same, cached   restic with its cache filled; the vault has no cache
    decide             the plan and its explanations; of restic, what `forget` takes beyond `snapshots`, which reads the
                       same and decides nothing (both with the cache filled): 0 where that cannot be told apart

restic is a process that starts, and derives its key, each time; the line `start` says what that takes. The planner runs
inside one that is there already, as it does in the triggerer. Fails when a limit is missed.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from bench.restic_repository import environment, make_repository, store_in_s3
from bench.stored_points import fill_vault, read_points
from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.explanations import explain
from include.rules.retention.plan import plan_retention
from include.rules.retention.timeline import TimelinePoint
from lab.testing.server import new_settings
from lab.testing.storage import LabStorage
from perennial.hooks.vault.vault import Vault

NOW = datetime(2026, 6, 30, 6, tzinfo=UTC)
POLICY = RetentionPolicy()
KEEP = ["--keep-daily=30", "--keep-weekly=12", "--keep-monthly=12", "--keep-yearly=100"]
RUNS, READINGS = 7, 2
ONE_TENANT, ONE_TENANT_MS = 10_000, 30
FLEET, POINTS_EACH, FLEET_MS = 1_000, 60, 500


class Taken(NamedTuple):
    """Milliseconds that something took: by the clock, and of processors."""

    wall: float
    cpu: float

    def less(self, other: Taken) -> Taken:
        """What it took beyond the other."""
        return Taken(max(0.0, self.wall - other.wall), max(0.0, self.cpu - other.cpu))

    def __str__(self) -> str:
        return f"{self.wall:9,.1f} {self.cpu:9,.1f}"


def main() -> int:
    """Measure and print; 1 when a limit is missed."""
    large = timeline("acme", ONE_TENANT, timedelta(hours=6))
    fleet = [timeline(f"t{number}", POINTS_EACH, timedelta(days=1)) for number in range(FLEET)]
    met = [
        _within("one tenant", len(large), ONE_TENANT_MS, lambda: _plan(large)),
        _within("a fleet", FLEET * POINTS_EACH, FLEET_MS, lambda: [_plan(points) for points in fleet]),
    ]
    restic = sys.argv[1] if len(sys.argv) > 1 else shutil.which("restic")
    if restic:
        print(_output([restic, "version"], {}).decode().strip())
    else:
        print("restic is not installed (apt-get install restic): only the planner is measured")
    with (
        tempfile.TemporaryDirectory(prefix="perennial-bench-") as folder,
        LabStorage(new_settings(Path(folder))) as storage,
    ):
        for points in (timeline("acme", 1_000, timedelta(days=1)), large):
            _compare(restic, storage, Path(folder) / str(len(points)), points)
    return 0 if all(met) else 1


def timeline(tenant: str, count: int, step: timedelta) -> list[TimelinePoint]:
    """Verified daily points, one every `step` back from now, in no order."""
    times = [NOW - timedelta(hours=4) - number * step for number in range(count)]
    random.Random(count).shuffle(times)  # noqa: S311
    return [
        TimelinePoint(f"{tenant}-daily-{when:%Y%m%dT%H}", tenant, Kind.DAILY, State.VERIFIED, when, when)
        for when in times
    ]


def _plan(points: list[TimelinePoint]) -> int:
    return len(plan_retention(points[0].tenant, points, POLICY, NOW).kept)


def _within(name: str, points: int, limit: float, work: Callable[[], object]) -> bool:
    best = _best(work, RUNS).cpu
    rate = points / best * 1000
    print(f"{name:<11}{points:7,} points   {best:6.1f} ms (at most {limit:.0f})   {rate:11,.0f} points per second")
    return best <= limit


def _compare(restic: str | None, storage: LabStorage, folder: Path, points: list[TimelinePoint]) -> None:
    vault = fill_vault(storage, [(point.id, point.time) for point in points])
    whole, alone = _best(lambda: _read_and_decide(vault), READINGS), _best(lambda: _decide(points), RUNS)
    print(f"\n{len(points):,} points        wall ms    cpu ms")
    print(f"planner, read and decide  {whole}\nplanner, decide           {alone}")
    if restic:
        _measure_restic(restic, storage, folder, points)


def _read_and_decide(vault: Vault) -> int:
    return _decide([TimelinePoint.of(manifest) for manifest in asyncio.run(read_points(vault))])


def _decide(points: list[TimelinePoint]) -> int:
    return len(explain(plan_retention(points[0].tenant, points, POLICY, NOW)))


def _measure_restic(restic: str, storage: LabStorage, folder: Path, points: list[TimelinePoint]) -> None:
    make_repository(restic, folder, [point.time for point in points])
    variables = store_in_s3(storage, folder)

    def run(*command: str) -> bytes:
        return _output([restic, *command, "--json", "--no-lock"], variables)

    forget, cache = ("forget", "--dry-run", *KEEP), folder / "cache"

    def run_cold() -> None:
        shutil.rmtree(cache, ignore_errors=True)
        run(*forget)

    cold = _best(run_cold, READINGS)
    warm, listing = _best(lambda: run(*forget), READINGS), _best(lambda: run("snapshots"), READINGS)
    start = _best(lambda: run("list", "keys"), READINGS)
    for name, taken in {
        "read and decide": cold,
        "the same, cached": warm,
        "decide": warm.less(listing),
        "start": start,
    }.items():
        print(f"restic, {name:<18}{taken}")
    (group,) = json.loads(run(*forget))
    print(f"restic keeps {len(group['keep'])}, the planner {_plan(points)}")


def _output(command: list[str], variables: dict[str, str]) -> bytes:
    return subprocess.run(
        command, env=environment(Path()) | variables, capture_output=True, check=True, timeout=1200
    ).stdout


def _best(work: Callable[[], object], runs: int) -> Taken:
    """The quickest of several runs, by the clock and by processor time each: when the least else gets in its way."""
    taken = []
    for _ in range(runs):
        gc.collect()
        began, processors = time.perf_counter(), _processors()
        work()
        taken.append(Taken(1000 * (time.perf_counter() - began), 1000 * (_processors() - processors)))
    return Taken(min(it.wall for it in taken), min(it.cpu for it in taken))


def _processors() -> float:
    """Seconds of processors, user and system, that this process and its ended children have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(it.ru_utime + it.ru_stime for it in used)


if __name__ == "__main__":
    sys.exit(main())
