"""How fast retention is planned, and how fast restic plans the same timelines where it is installed.

    python -m bench.retention [RESTIC]      path of a restic to compare with; the one on PATH if nothing is said

Prints the best of several runs in milliseconds of processor time and points per second, then for each timeline how many
points stay. Fails when a limit is missed.
"""

from __future__ import annotations

import gc
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.restic_repository import environment, make_repository
from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.register.tenants import RetentionPolicy
from include.rules.retention.plan import plan_retention
from include.rules.retention.timeline import TimelinePoint

NOW = datetime(2026, 6, 30, 6, tzinfo=UTC)
POLICY = RetentionPolicy()
RUNS = 7
ONE_TENANT, ONE_TENANT_MS = 10_000, 30
FLEET, POINTS_EACH, FLEET_MS = 1_000, 60, 500


def main() -> int:
    """Measure and print; 1 when a limit is missed."""
    large = timeline("acme", ONE_TENANT, timedelta(hours=6))
    fleet = [timeline(f"t{number}", POINTS_EACH, timedelta(days=1)) for number in range(FLEET)]
    met = [
        _measured("one tenant", len(large), ONE_TENANT_MS, lambda: _plan(large)),
        _measured("a fleet", FLEET * POINTS_EACH, FLEET_MS, lambda: [_plan(points) for points in fleet]),
    ]
    restic = sys.argv[1] if len(sys.argv) > 1 else shutil.which("restic")
    if restic:
        for points in (timeline("acme", 1_000, timedelta(days=1)), large):
            _compare(restic, points)
    else:
        print("restic is not installed: nothing to compare with")
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


def _measured(name: str, points: int, limit: float, work: Callable[[], object]) -> bool:
    best = _best(work)
    rate = points / best * 1000
    print(f"{name:<11}{points:7,} points   {best:6.1f} ms (at most {limit:.0f})   {rate:11,.0f} points per second")
    return best <= limit


def _best(work: Callable[[], object]) -> float:
    """Milliseconds of this process's time that the work takes when nothing else gets in its way."""
    taken = []
    for _ in range(RUNS):
        gc.collect()
        began = time.process_time()
        work()
        taken.append(1000 * (time.process_time() - began))
    return min(taken)


def _compare(restic: str, points: list[TimelinePoint]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        make_repository(restic, Path(folder), [point.time for point in points])
        _forget(restic, Path(folder))  # fills restic's cache
        kept, taken = _forget(restic, Path(folder))
    print(
        f"{len(points):6,} points: restic keeps {kept} and takes {taken:,.0f} ms, "
        f"this planner keeps {_plan(points)} and takes {_best(lambda: _plan(points)):,.1f} ms"
    )


def _forget(restic: str, folder: Path) -> tuple[int, float]:
    """How many snapshots restic would keep, and how many milliseconds it takes to say so."""
    keep = ["--keep-daily=30", "--keep-weekly=12", "--keep-monthly=12", "--keep-yearly=100"]
    command = [restic, "forget", "--dry-run", "--json", "--no-lock", *keep]
    began = time.monotonic()
    answer = subprocess.run(command, env=environment(folder), capture_output=True, check=True, timeout=600)
    (group,) = json.loads(answer.stdout)
    return len(group["keep"]), 1000 * (time.monotonic() - began)


if __name__ == "__main__":
    sys.exit(main())
