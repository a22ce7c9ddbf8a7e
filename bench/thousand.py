"""1,000 tenants on 20 SQL Servers through the real DAGs, with AWS's own limits on: nobody lost, nobody twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.fleet_seed import Fleet
from bench.limits import AWS_LIMITS
from bench.loop_watchdog import LONG, LONGEST_MS, count_too_long, report
from bench.measured import Measured
from bench.results import Check, Section, table
from bench.run_way import run_way
from bench.stack import bench_stack
from bench.tables import calls_table, components_table, problems_list, ways_table
from bench.trial import fleet_size
from bench.ways.way import WORKERLESS

TENANTS = 1000
WAY_SECONDS = 780.0
WALL_SECONDS, QUEUED_SECONDS, PROCESS_MB, CLOUD_CALLS, S3_REQUESTS = 480, 15, 600, 4, 16
EXAMPLES = 10

Say = Callable[[str], None]


def one_triggerer(say: Say) -> Section:
    """The fleet test."""
    fleet = Fleet(fleet_size(TENANTS))
    say(f"starting the lab with {fleet.servers} SQL Servers and seeding {fleet.tenants} tenants")
    with bench_stack(fleet, AWS_LIMITS, watch=True) as bench:
        measured = run_way(bench, WORKERLESS, bench.tenants, say, WAY_SECONDS)
    text = (
        f"{fleet.tenants:,} tenants, {fleet.per_volume} to a volume, on {fleet.servers} SQL Servers, through "
        "`daily_backups` and `tenant_backup`, with AWS's own limits on: 15 s between two snapshots of a volume, five "
        "pending, token buckets of the sizes that AWS documents (SSM's are not: the lab has them at a guess)."
    )
    tables = [ways_table([measured]), seconds_table(measured), calls_table([measured]), problems_list([measured])]
    if measured.blocking:
        tables.append(
            "Longest callbacks in the triggerer's event loop from the dispatch on (before it, while the triggerer "
            f"began and made its clients for the tenant that warms it up, {measured.blocking_before} took more than "
            f"{1000 * LONG:.0f} ms):\n\n{report(measured.blocking, EXAMPLES)}"
        )
    return Section(f"Fleet test: {fleet.tenants:,} tenants", "\n\n".join([text, *tables]), checks(measured))


def two_triggerers(say: Say) -> Section:
    """The same fleet by one triggerer and by two, one after the other."""
    fleet = Fleet(fleet_size(TENANTS))
    say(f"starting the lab with {fleet.servers} SQL Servers and seeding {fleet.tenants} tenants")
    ways = [
        replace(WORKERLESS, name=f"by-{count}", title=title)
        for count, title in enumerate(("one triggerer", "two triggerers"), 1)
    ]
    with bench_stack(fleet, AWS_LIMITS) as bench:
        columns = [
            run_way(replace(bench, triggerers=count), way, bench.tenants, say, WAY_SECONDS)
            for count, way in enumerate(ways, 1)
        ]
    tables = [ways_table(columns), components_table(columns), calls_table(columns), problems_list(columns)]
    amiss = [Check(f"tenants with anything amiss, {way.title}", len(way.problems), 0) for way in columns]
    title = f"One triggerer and two: {fleet.tenants:,} tenants"
    return Section(title, "\n\n".join(tables), amiss)


def checks(measured: Measured) -> Sequence[Check]:
    """What the fleet test is held to."""
    return (
        Check("tenants with anything amiss", len(measured.problems), 0),
        Check("until all are queued", measured.queued, QUEUED_SECONDS, " s"),
        Check("until all are backed up", measured.wall, WALL_SECONDS, " s"),
        Check("largest process", measured.largest_process, PROCESS_MB, " MB"),
        Check(
            f"callbacks in the triggerer's loop of over {LONGEST_MS} ms of CPU", count_too_long(measured.blocking), 0
        ),
        Check("worker starts of tenants' tasks", measured.starts, 0),
        Check("worker starts of the dispatch", measured.dispatch_starts, 1),
        Check("EC2 and SSM calls per tenant", measured.cloud_calls_per_tenant, CLOUD_CALLS),
        Check("S3 requests per tenant, SQL Server's own apart", measured.s3_requests_per_tenant, S3_REQUESTS),
    )


def seconds_table(measured: Measured) -> str:
    """Where each second of the machine's cores went."""
    cores = os.cpu_count() or 1
    had = measured.wall * cores
    spent = {**measured.cpu, **{f"lab: {name}": seconds for name, seconds in measured.lab_cpu.items()}}
    rows = [_spent(name, seconds, had, measured) for name, seconds in spent.items()]
    rest = had - sum(spent.values())
    rows.append((f"idle, or others, of {cores} cores", f"{rest:.1f}", "", f"{100 * rest / had:.1f} %", ""))
    return table(("component", "CPU-s", "per tenant", "of the machine", "largest process, MB"), rows)


def _spent(name: str, seconds: float, had: float, measured: Measured) -> tuple[str, ...]:
    memory = f"{measured.memory[name]:.0f}" if name in measured.memory else ""
    return name, f"{seconds:.1f}", f"{seconds / measured.tenants:.3f}", f"{100 * seconds / had:.1f} %", memory
