"""How often AWS is asked for snapshots while many tenants wait for theirs: by the bare script, all of them at once."""

from __future__ import annotations

from collections.abc import Callable

from bench.fleet_seed import Fleet
from bench.limits import AWS_LIMITS
from bench.results import Check, Section, table
from bench.run_floor import run_floor
from bench.stack import bench_stack
from bench.trial import fleet_size

SIZES = (20, 100, 500)
SECONDS = 1200.0
LEAST_SECONDS, SECONDS_EACH = 120.0, 0.6
"""How long a snapshot stays pending: until all tenants have come to wait for theirs, and a minute or two more."""

Say = Callable[[str], None]


def measure(say: Say) -> Section:
    """DescribeSnapshots in the busiest minute of fleets of 20, 100 and 500 tenants."""
    rows, describes = [], list[int]()
    for size in sorted({fleet_size(size) for size in SIZES}):
        pending = LEAST_SECONDS + SECONDS_EACH * size
        say(f"{size} tenants, whose snapshots are pending for {pending:.0f} s")
        with bench_stack(Fleet(size), {**AWS_LIMITS, "PERENNIAL_LAB_SNAPSHOT_SECONDS": f"{pending}"}) as bench:
            measured = run_floor(bench, bench.tenants, SECONDS, {"AT_ONCE": str(size)})
        rows.append((size, measured.describes, measured.wall, len(measured.problems)))
        describes.append(measured.describes)
        say(f"{size} tenants: {measured.describes} DescribeSnapshots in the busiest minute")
    head = ("tenants waiting", "DescribeSnapshots in the busiest minute", "wall, s", "failures")
    text = "All tenants at once, by the bare script, with snapshots that stay pending until all of them wait."
    growth = Check("most calls a minute, to those of the fewest tenants", max(describes) / max(1, describes[0]), 1.1)
    return Section("Waiting for snapshots", f"{text}\n\n{table(head, rows)}", [growth])
