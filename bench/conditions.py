"""Under which conditions the parts of `make bench` measure: the head of bench/results.md."""

from __future__ import annotations

from bench.stack import PARALLELISM
from demo.environment import POLL_SECONDS
from demo.scale import fleet_environment
from lab.cloud.knobs import Knobs

POLL_AS_SHIPPED, AIRFLOWS_PARALLELISM = 5, 32
ROWS = 21
"""In the databases of `lab.seed.fleet_databases.make_template`."""


def conditions() -> str:
    """What all parts have in common and no section says, in sentences."""
    return (
        f"Where fleets are backed up, steps look again after {POLL_SECONDS} s at most (`PERENNIAL_POLL_SECONDS`; "
        f"{POLL_AS_SHIPPED} as shipped); a snapshot is pending for {Knobs.snapshot_seconds:.0f} s (minutes at Amazon); "
        f"a tenant's database has {ROWS} rows, its site one page; there are {PARALLELISM} workers at most (`[core] "
        f"parallelism`; {AIRFLOWS_PARALLELISM} is Airflow's default), PostgreSQL, LocalExecutor, and these settings of "
        f"Airflow: {', '.join(f'`{name}={value}`' for name, value in fleet_environment().items())}."
    )
