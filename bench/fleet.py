"""The pipeline beside other ways to run the same steps: one lab, one Airflow, one fleet, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.fleet_seed import Fleet
from bench.measured import Measured
from bench.results import Check, Section
from bench.run_floor import run_floor
from bench.run_way import run_way
from bench.stack import PARALLELISM, bench_stack
from bench.tables import calls_table, components_table, problems_list, ways_table
from bench.trial import fleet_size
from bench.ways.dispatch import MAX_ACTIVE_RUNS
from bench.ways.way import DEFERRABLE, DEFERRABLE_PRELOADED, SYNC, SYNC_PRELOADED, WORKERLESS, Way

HUNDRED, THREE_HUNDRED = 100, 300
WAY_SECONDS = 1500.0
CPU_OF_SYNC, CPU_OF_DEFERRABLE, WALL_OF_SYNC, WALL_OF_DEFERRABLE = 0.35, 0.25, 0.33, 0.5
CLOUD_CALLS_SHARED, S3_REQUESTS = 4, 16

Say = Callable[[str], None]


def hundred(say: Say) -> Section:
    """All four ways with 100 tenants."""
    return _measure(fleet_size(HUNDRED), (WORKERLESS, SYNC, DEFERRABLE), say, floor=True)


def hundred_preloaded(say: Say) -> Section:
    """The pipeline beside baselines whose workers find everything loaded, with 100 tenants."""
    return _measure(fleet_size(HUNDRED), (WORKERLESS, SYNC_PRELOADED, DEFERRABLE_PRELOADED), say)


def three_hundred_sync(say: Say) -> Section:
    """The pipeline and sync operators with 300 tenants."""
    return _measure(fleet_size(THREE_HUNDRED), (WORKERLESS, SYNC), say)


def three_hundred_deferrable(say: Say) -> Section:
    """The pipeline and deferrable operators with 300 tenants."""
    return _measure(fleet_size(THREE_HUNDRED), (WORKERLESS, DEFERRABLE), say)


def _measure(tenants: int, ways: Sequence[Way], say: Say, *, floor: bool = False) -> Section:
    say(f"starting the lab and seeding {tenants} tenants")
    with bench_stack(Fleet(tenants)) as bench:
        names = bench.tenants
        measured = {way: run_way(bench, way, names, say, WAY_SECONDS) for way in ways}
        columns = [*measured.values()]
        if floor:
            columns.append(run_floor(bench, names, WAY_SECONDS))
    text = (
        f"{tenants} tenants, twenty to a volume, through one Airflow with PostgreSQL and LocalExecutor "
        f"(at most {MAX_ACTIVE_RUNS} runs and {PARALLELISM} workers at once), started anew for each way with the same "
        "settings. Worker starts are those of the tenants' tasks; CPU is that of whole process trees, PostgreSQL's "
        "too, from the dispatch until the dag-processor has nothing left to do. The lab's servers stand in for AWS and "
        "SQL Server, on the same cores: their share of the wall time is a part of each way's.\n\n"
    )
    tables = [ways_table(columns), components_table(columns), calls_table(columns), problems_list(columns)]
    return Section(f"Fleet of {tenants}: {_titles(ways, floor)}", text + "\n\n".join(tables), checks(measured))


def _titles(ways: Sequence[Way], floor: bool) -> str:
    return ", ".join([*(way.title for way in ways), *(["the floor"] if floor else [])])


def checks(measured: dict[Way, Measured]) -> list[Check]:
    """What the pipeline is held to, and its ratios to each way that stood beside it."""
    ours = measured[WORKERLESS]
    is_large = ours.tenants >= THREE_HUNDRED
    held_to = [
        Check("tenants with anything amiss, workerless", len(ours.problems), 0),
        Check("worker starts of tenants' tasks, workerless", ours.starts, 0),
        Check("worker starts of the dispatch, workerless", ours.dispatch_starts, 1),
        Check("EC2 and SSM calls per tenant, twenty to a volume", ours.cloud_calls_per_tenant, CLOUD_CALLS_SHARED),
        Check("S3 requests per tenant, SQL Server's own apart", ours.s3_requests_per_tenant, S3_REQUESTS),
    ]
    for way, cpu_limit, wall_limit in (
        (SYNC, CPU_OF_SYNC, WALL_OF_SYNC),
        (DEFERRABLE, CPU_OF_DEFERRABLE, WALL_OF_DEFERRABLE),
        (SYNC_PRELOADED, CPU_OF_SYNC, WALL_OF_SYNC),
        (DEFERRABLE_PRELOADED, CPU_OF_DEFERRABLE, WALL_OF_DEFERRABLE),
    ):
        if way in measured:
            other = measured[way]
            beside = f"{way.title}, which has not backed all of them up" if other.problems else way.title
            held_to.append(Check(f"CPU, workerless to {beside}", ours.cpu_per_tenant / other.cpu_per_tenant, cpu_limit))
            if is_large:
                held_to.append(Check(f"wall time, workerless to {beside}", ours.wall / other.wall, wall_limit))
    return held_to
