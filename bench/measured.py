"""What one way of backing a fleet up took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.loop_watchdog import LongCallback
from lab.faults.counts import BY_SQL_SERVER


@dataclass(frozen=True)
class Measured:
    """One way, one fleet, one run.

    Attributes:
        title: The way, as tables have it.
        tenants: How many tenants the fleet had.
        wall: Seconds from the dispatch to the end of the last tenant's run.
        cpu: CPU seconds by component of Airflow, its database too.
        lab_cpu: CPU seconds by server of the lab.
        queued: Seconds from the dispatch until the last run was queued; None where nothing is queued.
        memory: Largest PSS in MB of any one process, by component.
        starts: How often a worker was started for the tenants' tasks.
        dispatch_starts: How often for the dispatch.
        calls: Calls of AWS's services and of SQL Server by name, as `bench.measuring.calls` names them.
        throttled: How many of those of AWS were refused because a bucket was empty.
        describes: DescribeSnapshots in the minute with the most of them.
        describes_waiting: The same of minutes in which the cloud had no other calls; None where there was none.
        blocking: Callbacks that kept a triggerer's event loop for long, the longest first; None where nobody watched.
        blocking_before: How many there were before the dispatch, while Airflow began and was warmed up.
        problems: What was not as it has to be, in sentences.
    """

    title: str
    tenants: int
    wall: float
    cpu: Mapping[str, float]
    lab_cpu: Mapping[str, float]
    queued: float | None = None
    memory: Mapping[str, float] = field(default_factory=dict)
    starts: int = 0
    dispatch_starts: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    throttled: int = 0
    describes: int = 0
    describes_waiting: int | None = None
    blocking: Sequence[LongCallback] | None = None
    blocking_before: int = 0
    problems: Sequence[str] = ()

    @property
    def cpu_per_tenant(self) -> float:
        """CPU seconds of Airflow's components and of its database for each tenant."""
        return sum(self.cpu.values()) / self.tenants

    @property
    def lab_cpu_per_tenant(self) -> float:
        return sum(self.lab_cpu.values()) / self.tenants

    @property
    def cloud_calls_per_tenant(self) -> float | None:
        """EC2 and SSM calls for each tenant; None where the lab has counted nothing at all."""
        if not self.calls:
            return None
        return sum(count for name, count in self.calls.items() if name.startswith(("ec2:", "ssm:"))) / self.tenants

    @property
    def s3_requests_per_tenant(self) -> float | None:
        """S3 requests of the product for each tenant; without those that SQL Server makes itself; None as there."""
        if not self.calls:
            return None
        own = (n for name, n in self.calls.items() if name.startswith("s3:") and not name.endswith(BY_SQL_SERVER))
        return sum(own) / self.tenants

    @property
    def largest_process(self) -> float | None:
        """MB of the largest process of Airflow; None where none could be looked at."""
        return max(self.memory.values(), default=0.0) or None
