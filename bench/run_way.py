"""Backs a whole fleet up one way and measures it, from the dispatch until nothing is left to do."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress

import psutil

from bench.measured import Measured
from bench.measuring.records import Dispatch, Records, Runs
from bench.progress import FleetError, Progress, told
from bench.stack import BenchStack
from bench.vault_check import examples, find_problems, read_manifests
from bench.ways.way import WORKERLESS, Way
from demo.airflow_api import TERMINAL

DISPATCH_SECONDS = 300.0
LOOK_SECONDS, SAY_SECONDS = 1.0, 15.0
DRAIN_SECONDS = 120.0
QUIET_SECONDS = 3.0


def run_way(
    bench: BenchStack,
    way: Way,
    tenants: Collection[str],
    say: Callable[[str], None],
    seconds: float,
    *,
    warm_up: bool = True,
) -> Measured:
    """Back the fleet up one way, within `seconds`, and measure it.

    Without `warm_up` the first tenant finds an Airflow that has backed nobody up.

    Raises FleetError when the runs do not come to an end, ProcessError when a process ends by itself.
    """
    say(f"{way.title}: starting Airflow" + (", warming up with one tenant" if warm_up else ""))
    bench = bench.start_for(way)
    if warm_up:
        bench.warm_up(way)
    records, airflow = Records(bench.settings), bench.airflow
    blocked_before = Counter(bench.blocking_callbacks())
    with bench.meter(airflow) as meter:
        dispatch = _dispatch(bench, way, records)
        _wait_for_runs(bench, way, records, dispatch, len(tenants), say, seconds)
        is_drained = _drain_callbacks(records, airflow["dag-processor"])
    runs = records.runs(way.backup, dispatch)
    problems = [*run_problems(runs), *find_problems(read_manifests(bench.settings, way.name), tenants)]
    if not is_drained:
        problems.append(f"the dag-processor had callbacks left {DRAIN_SECONDS:.0f} s after the last run")
    measured = Measured(
        title=way.title,
        tenants=len(tenants),
        wall=runs.ended_after,
        queued=runs.queued_after,
        starts=runs.starts,
        dispatch_starts=records.starts(way.dispatch, dispatch),
        blocking=tuple((Counter(bench.blocking_callbacks()) - blocked_before).elements()) if bench.is_watched else None,
        blocking_before=blocked_before.total(),
        problems=problems,
        **meter.figures,
    )
    if problems and way is WORKERLESS:
        bench.keep_logs()
        say(f"{way.title}: not as it has to be. {bench.advice}")
    say(f"{way.title}: {measured.wall:.0f} s, {measured.cpu_per_tenant:.2f} CPU-s a tenant; " + "; ".join(problems))
    return measured


def run_problems(runs: Runs) -> list[str]:
    """What the runs themselves tell of: failed ones, and tenants that were queued more than once."""
    failed = {state: count for state, count in runs.states.items() if state != "success"}
    twice = [key for key, count in runs.per_key.items() if count > 1]
    problems = [f"{count} runs ended as {state}" for state, count in failed.items()]
    if twice:
        problems.append(f"{len(twice)} tenants had more than one run: {examples(twice)}")
    if runs.mismatches:
        problems.append(f"Airflow failed {runs.mismatches} deferred tasks for the executor's late word")
    return problems


def _dispatch(bench: BenchStack, way: Way, records: Records) -> Dispatch:
    """Have the fleet queued; paused again at once, the DAG does not begin by itself in the midst."""
    api = bench.api
    dispatch, deadline = Dispatch(way.dispatch, api.trigger(way.dispatch)), time.monotonic() + DISPATCH_SECONDS
    while (state := records.state(dispatch)) not in TERMINAL:
        bench.check()
        if time.monotonic() >= deadline:
            raise FleetError(f"{way.dispatch} is {state} after {DISPATCH_SECONDS:.0f} s. {bench.advice}")
        time.sleep(LOOK_SECONDS)
    api.pause(way.dispatch)
    if state != "success":
        raise FleetError(f"{way.dispatch} has failed. {bench.advice}")
    return dispatch


def _wait_for_runs(
    bench: BenchStack,
    way: Way,
    records: Records,
    dispatch: Dispatch,
    wanted: int,
    say: Callable[[str], None],
    seconds: float,
) -> None:
    progress, say_at = Progress(wanted, seconds), time.monotonic() + SAY_SECONDS
    while not progress.is_done(states := records.states(way.backup, dispatch)):
        bench.check()
        if time.monotonic() >= say_at:
            say(f"{way.title}: {told(states)} of {wanted}")
            say_at += SAY_SECONDS
        time.sleep(LOOK_SECONDS)


def _drain_callbacks(records: Records, dag_processor: int) -> bool:
    """Wait until the dag-processor has taken up what the ends of tasks have sent it: its CPU is part of the price.

    Returns False where it has not within DRAIN_SECONDS.
    """
    deadline, quiet_since = time.monotonic() + DRAIN_SECONDS, time.monotonic()
    while time.monotonic() < min(deadline, quiet_since + QUIET_SECONDS):
        with suppress(psutil.NoSuchProcess):
            if records.callbacks_waiting() or psutil.Process(dag_processor).children():
                quiet_since = time.monotonic()
        time.sleep(LOOK_SECONDS / 2)
    return time.monotonic() < deadline
