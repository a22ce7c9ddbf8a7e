"""How often AWS is asked for snapshots while many tenants wait for theirs: by the bare script, all of them at once.

Nobody shares a volume: 500 tenants wait for 1,000 snapshots, five times what one call asks for by id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.fleet_seed import Fleet
from bench.limits import AWS_LIMITS
from bench.results import Check, Section, table
from bench.run_floor import run_floor
from bench.stack import bench_stack
from bench.trial import fleet_size

SIZES = (20, 100, 500)
SECONDS = 1200.0
LEAST_SECONDS, SECONDS_EACH = 150.0, 0.6
"""How long a snapshot stays pending: until all tenants have come to wait for theirs, and two minutes more."""
GROWTH = 1.1

Say = Callable[[str], None]


def measure(say: Say) -> Section:
    """DescribeSnapshots a minute of fleets of 20, 100 and 500 tenants that wait."""
    rows, calls, failures = [], list[int | None](), 0
    for size in sorted({fleet_size(size) for size in SIZES}):
        pending = LEAST_SECONDS + SECONDS_EACH * size
        say(f"{size} tenants, whose snapshots are pending for {pending:.0f} s")
        with bench_stack(
            Fleet(size, per_volume=1), {**AWS_LIMITS, "PERENNIAL_LAB_SNAPSHOT_SECONDS": f"{pending}"}
        ) as bench:
            measured = run_floor(bench, bench.tenants, SECONDS, {"AT_ONCE": str(size)})
        rows.append(
            (size, 2 * size, measured.describes_waiting, measured.describes, measured.wall, len(measured.problems))
        )
        calls.append(measured.describes_waiting)
        failures += len(measured.problems)
        say(f"{size} tenants: {measured.describes_waiting} DescribeSnapshots a minute while all wait")
    head = (
        "tenants",
        "snapshots",
        "DescribeSnapshots a minute while all wait",
        "in the busiest minute",
        "wall, s",
        "failures",
    )
    text = (
        "All tenants at once, by the bare script, two volumes of its own each, with snapshots that stay pending until "
        "all of them wait."
    )
    limits = [
        Check("calls a minute of the most tenants, to those of the fewest", ratio(calls), GROWTH),
        Check("failures", failures, 0),
    ]
    return Section("Waiting for snapshots", f"{text}\n\n{table(head, rows)}", limits)


def ratio(calls: Sequence[int | None]) -> float | None:
    """The last to the first; None where one of them is not known, or the first is none at all."""
    first, last = calls[0], calls[-1]
    return last / first if first and last is not None else None
