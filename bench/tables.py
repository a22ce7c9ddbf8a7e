"""What was measured, as tables."""

from __future__ import annotations

from collections.abc import Sequence

from bench.measured import Measured
from bench.results import table

RARE = 0.005
"""Calls that fewer than one tenant in two hundred makes are left out."""


def ways_table(ways: Sequence[Measured]) -> str:
    """A row for each way: time, CPU, worker starts, memory."""
    head = (
        "way",
        "wall, s",
        "all queued after, s",
        "CPU-s per tenant",
        "worker starts per tenant",
        "largest process, MB",
        "the lab's own CPU-s per tenant",
    )
    return table(
        head,
        [
            (
                way.title,
                way.wall,
                way.queued,
                way.cpu_per_tenant,
                way.starts / way.tenants,
                way.largest_process,
                way.lab_cpu_per_tenant,
            )
            for way in ways
        ],
    )


def components_table(ways: Sequence[Measured]) -> str:
    """CPU seconds per tenant and largest process (MB) of each component, a column for each way."""
    names = list(dict.fromkeys(name for way in ways for name in way.cpu))
    lab = list(dict.fromkeys(name for way in ways for name in way.lab_cpu))
    rows = [
        (name, *(_cpu_and_memory(way.cpu.get(name), way.memory.get(name), way.tenants) for way in ways))
        for name in names
    ]
    rows += [
        (f"lab: {name}", *(_cpu_and_memory(way.lab_cpu.get(name), None, way.tenants) for way in ways)) for name in lab
    ]
    return table(("CPU-s per tenant; MB", *(way.title for way in ways)), rows)


def calls_table(ways: Sequence[Measured]) -> str:
    """Calls per tenant by name, a column for each way."""
    names = sorted({name for way in ways for name, count in way.calls.items() if count / way.tenants >= RARE})
    rows: list[tuple[object, ...]] = [(name, *(way.calls[name] / way.tenants for way in ways)) for name in names]
    rows.append(("EC2 and SSM together", *(way.cloud_calls_per_tenant for way in ways)))
    rows.append(("S3 together, without SQL Server's own", *(way.s3_requests_per_tenant for way in ways)))
    rows.append(("refused by an empty bucket, in all", *(way.throttled for way in ways)))
    rows.append(("DescribeSnapshots in the busiest minute", *(way.describes for way in ways)))
    return table(("calls per tenant", *(way.title for way in ways)), rows)


def problems_list(ways: Sequence[Measured]) -> str:
    """What was not as it has to be, way by way; says so where there is nothing."""
    lines = [f"* {way.title}: {problem}" for way in ways for problem in way.problems]
    return "\n".join(lines) or "Every tenant of every way has one verified recovery point of level 2, from one run."


def _cpu_and_memory(cpu: float | None, memory: float | None, tenants: int) -> str:
    if cpu is None:
        return ""
    each = f"{cpu / tenants:.3f}"
    return f"{each}; {memory:.0f}" if memory else each
