"""How cost grows with the fleet: 50, 200, 1,000 and 3,000 tenants, each in a lab of its own, AWS's limits on.

The figures of all sizes are kept in bench/growth.json, so that the sizes may be measured one part at a time; the table
and the plot of docs/scale.md are written from them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.fleet_seed import Fleet
from bench.growth_plot import growth_svg
from bench.limits import AWS_LIMITS
from bench.measured import Measured
from bench.results import Check, Section, commit, replace_section, table
from bench.run_way import run_way
from bench.stack import bench_stack
from bench.trial import fleet_size, tenants_to_try
from bench.ways.way import WORKERLESS
from lab.environment import PROJECT

FIGURES = Path(__file__).with_name("growth.json")
PAGE, PLOT = PROJECT / "docs" / "scale.md", PROJECT / "docs" / "growth.svg"
SIZES, LARGEST = (50, 200, 1000), 3000
WAY_SECONDS = 1500.0

Say = Callable[[str], None]
Figures = dict[str, Any]
"""Of one size: `wall`, `queued`, `cpu` and `memory` by component, `lab`, `calls`, `describes`, `problems`, `commit`."""


def small(say: Say) -> Section:
    """50, 200 and 1,000 tenants."""
    return _measure(sorted({fleet_size(size) for size in SIZES}), say)


def large(say: Say) -> Section:
    """3,000 tenants."""
    return _measure([fleet_size(LARGEST)], say)


def _measure(sizes: Sequence[int], say: Say) -> Section:
    known = {} if tenants_to_try() or not FIGURES.exists() else json.loads(FIGURES.read_text())
    for size in sizes:
        say(f"{size} tenants: starting the lab and seeding them")
        with bench_stack(Fleet(size), AWS_LIMITS) as bench:
            known[str(size)] = figures_of(run_way(bench, WORKERLESS, bench.tenants, say, WAY_SECONDS))
    by_size = {int(size): known[size] for size in sorted(known, key=int)}
    if tenants_to_try() is None:
        FIGURES.write_text(json.dumps({str(size): found for size, found in by_size.items()}, indent=1) + "\n")
        PLOT.write_text(plot(by_size))
        picture = "![CPU, memory and time over the number of tenants](growth.svg)"
        PAGE.write_text(replace_section(PAGE.read_text(), "growth", f"{growth_table(by_size)}\n\n{picture}"))
    problems = [f"* {size} tenants: {problem}" for size in sizes for problem in by_size[size]["problems"]]
    amiss = "\n".join(problems) or "Every tenant has one verified recovery point of level 2, from one run."
    measured = ", ".join(f"{size:,}" for size in sizes)
    limits = [Check(f"{size:,} tenants: anything amiss", len(by_size[size]["problems"]), 0) for size in sizes]
    return Section(f"Growth: {measured} tenants", f"{growth_table(by_size)}\n\n{amiss}", limits)


def figures_of(measured: Measured) -> Figures:
    """What is kept of one size, per tenant where it is CPU or calls."""
    return {
        "wall": round(measured.wall, 1),
        "queued": round(measured.queued or 0.0, 1),
        "cpu": {name: round(seconds / measured.tenants, 4) for name, seconds in measured.cpu.items()},
        "lab": round(measured.lab_cpu_per_tenant, 4),
        "memory": {name: round(size) for name, size in measured.memory.items()},
        "calls": None if measured.cloud_calls_per_tenant is None else round(measured.cloud_calls_per_tenant, 2),
        "describes": measured.describes,
        "problems": list(measured.problems),
        "commit": commit(),
    }


def growth_table(by_size: Mapping[int, Figures]) -> str:
    """A row for each size."""
    components = list(dict.fromkeys(name for found in by_size.values() for name in found["cpu"]))
    head = (
        "tenants",
        "wall, s",
        "queued after, s",
        "CPU-s per tenant",
        *(f"{name}, CPU-s" for name in components),
        "largest process, MB",
        "EC2 and SSM calls per tenant",
        "DescribeSnapshots a minute",
        "the lab's own CPU-s",
        "amiss",
        "commit",
    )
    rows = [
        (
            size,
            found["wall"],
            found["queued"],
            sum(found["cpu"].values()),
            *(f"{found['cpu'].get(name, 0):.3f}" for name in components),
            max(found["memory"].values()),
            found["calls"],
            found["describes"],
            found["lab"],
            len(found["problems"]),
            found["commit"],
        )
        for size, found in by_size.items()
    ]
    return table(head, rows)


def plot(by_size: Mapping[int, Figures]) -> str:
    """CPU per tenant by component, memory of the largest process by component, and time, over the number of tenants."""
    components = list(dict.fromkeys(name for found in by_size.values() for name in found["cpu"]))

    def lines(kind: str) -> dict[str, dict[int, float]]:
        return {name: {size: found[kind].get(name, 0) for size, found in by_size.items()} for name in components}

    return growth_svg(
        {
            "CPU-s per tenant": lines("cpu"),
            "largest process, MB": lines("memory"),
            "seconds": {
                "until all are backed up": {size: found["wall"] for size, found in by_size.items()},
                "until all are queued": {size: found["queued"] for size, found in by_size.items()},
            },
        }
    )
