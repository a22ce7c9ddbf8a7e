"""How the lab's cloud behaves where AWS leaves it open, taken from the environment of its process."""

from __future__ import annotations

import os
from dataclasses import dataclass

SNAPSHOT_SECONDS = "PERENNIAL_LAB_SNAPSHOT_SECONDS"
SNAPSHOT_INTERVAL_SECONDS = "PERENNIAL_LAB_SNAPSHOT_INTERVAL_SECONDS"
VOLUME_SECONDS = "PERENNIAL_LAB_VOLUME_SECONDS"
LAG_SECONDS = "PERENNIAL_LAB_LAG_SECONDS"
RATES = "PERENNIAL_LAB_RATES"

DEFAULT_RATES = "ec2:Describe*=200:100 ec2:*=100:50 ssm:*=200:100"


@dataclass(frozen=True)
class Knobs:
    """Durations in seconds; `rates` are token buckets as `lab.cloud.throttle` reads them.

    Attributes:
        snapshot_seconds: How long a snapshot stays pending.
        snapshot_interval_seconds: How long one volume must be left alone between two CreateSnapshot. AWS wants about
            15 s; the default is short, so that the lab stays quick and still refuses who asks at once again.
        volume_seconds: How long a volume is creating, attaching and detaching, each.
        lag_seconds: For how long Describe calls do not see a new snapshot or volume.
    """

    snapshot_seconds: float = 2.0
    snapshot_interval_seconds: float = 1.0
    volume_seconds: float = 0.5
    lag_seconds: float = 0.0
    rates: str = DEFAULT_RATES

    @classmethod
    def from_environment(cls) -> Knobs:
        """Read the PERENNIAL_LAB_ variables named above."""
        return cls(
            snapshot_seconds=float(os.environ.get(SNAPSHOT_SECONDS, cls.snapshot_seconds)),
            snapshot_interval_seconds=float(os.environ.get(SNAPSHOT_INTERVAL_SECONDS, cls.snapshot_interval_seconds)),
            volume_seconds=float(os.environ.get(VOLUME_SECONDS, cls.volume_seconds)),
            lag_seconds=float(os.environ.get(LAG_SECONDS, cls.lag_seconds)),
            rates=os.environ.get(RATES, cls.rates),
        )
