"""What a backup calls where nothing is shared: tenants with volumes of their own."""

from __future__ import annotations

from collections.abc import Callable

from bench.fleet_seed import Fleet
from bench.results import Check, Section
from bench.run_way import run_way
from bench.stack import bench_stack
from bench.tables import calls_table, problems_list, ways_table
from bench.trial import fleet_size
from bench.ways.way import WORKERLESS

TENANTS, WAY_SECONDS, CLOUD_CALLS = 40, 600.0, 12

Say = Callable[[str], None]


def measure(say: Say) -> Section:
    """Calls per tenant of 40 tenants that share no volume."""
    fleet = Fleet(fleet_size(TENANTS), per_volume=1)
    say(f"starting the lab and seeding {fleet.tenants} tenants with volumes of their own")
    with bench_stack(fleet) as bench:
        measured = run_way(bench, WORKERLESS, bench.tenants, say, WAY_SECONDS)
    checks = [
        Check("tenants with anything amiss", len(measured.problems), 0),
        Check("EC2 and SSM calls per tenant", measured.cloud_calls_per_tenant, CLOUD_CALLS),
    ]
    tables = [ways_table([measured]), calls_table([measured]), problems_list([measured])]
    return Section(f"Nothing shared: {fleet.tenants} tenants", "\n\n".join(tables), checks)
