"""What the backup of one tenant calls that shares nothing with anybody, not even a look at its host."""

from __future__ import annotations

from collections.abc import Callable

from bench.fleet_seed import Fleet
from bench.results import Check, Section
from bench.run_way import run_way
from bench.stack import bench_stack
from bench.tables import calls_table, problems_list
from bench.ways.way import WORKERLESS

WAY_SECONDS, CLOUD_CALLS, S3_REQUESTS = 600.0, 12, 16

Say = Callable[[str], None]


def measure(say: Say) -> Section:
    """The calls of one backup, by a fresh Airflow."""
    say("starting the lab and seeding one tenant")
    with bench_stack(Fleet(1)) as bench:
        measured = run_way(bench, WORKERLESS, bench.tenants, say, WAY_SECONDS, warm_up=False)
    checks = [
        Check("problems", len(measured.problems), 0),
        Check("EC2 and SSM calls", measured.cloud_calls_per_tenant, CLOUD_CALLS),
        Check("S3 requests, SQL Server's own apart", measured.s3_requests_per_tenant, S3_REQUESTS),
    ]
    text = "The first backup of a fresh Airflow and of an empty vault, nothing shared and nothing remembered."
    return Section("One tenant alone", "\n\n".join([text, calls_table([measured]), problems_list([measured])]), checks)
