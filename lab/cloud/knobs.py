"""How the lab's cloud behaves where AWS leaves it open, and how much it takes, from the environment of its process."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from lab.cloud.limits import LAB, Limits, named

SNAPSHOT_SECONDS = "PERENNIAL_LAB_SNAPSHOT_SECONDS"
SNAPSHOT_INTERVAL_SECONDS = "PERENNIAL_LAB_SNAPSHOT_INTERVAL_SECONDS"
VOLUME_SECONDS = "PERENNIAL_LAB_VOLUME_SECONDS"
LAG_SECONDS = "PERENNIAL_LAB_LAG_SECONDS"
LIMITS = "PERENNIAL_LAB_LIMITS"
RATES = "PERENNIAL_LAB_RATES"


@dataclass(frozen=True)
class Knobs:
    """Durations in seconds, and the limits.

    Attributes:
        snapshot_seconds: How long a snapshot stays pending.
        volume_seconds: How long a volume is creating, attaching and detaching, each.
        lag_seconds: For how long Describe calls do not see a new snapshot or volume.
        limits: What the cloud begins with; `PUT /lab/limits` sets others.
    """

    snapshot_seconds: float = 2.0
    volume_seconds: float = 0.5
    lag_seconds: float = 0.0
    limits: Limits = LAB

    @classmethod
    def from_environment(cls) -> Knobs:
        """Read the PERENNIAL_LAB_ variables named above; those of single limits go before PERENNIAL_LAB_LIMITS.

        Raises ValueError where a variable makes no sense.
        """
        limits = named(os.environ.get(LIMITS) or "lab")
        interval = float(os.environ.get(SNAPSHOT_INTERVAL_SECONDS, limits.snapshot_interval_seconds))
        return cls(
            snapshot_seconds=float(os.environ.get(SNAPSHOT_SECONDS, cls.snapshot_seconds)),
            volume_seconds=float(os.environ.get(VOLUME_SECONDS, cls.volume_seconds)),
            lag_seconds=float(os.environ.get(LAG_SECONDS, cls.lag_seconds)),
            limits=replace(limits, snapshot_interval_seconds=interval, rates=os.environ.get(RATES, limits.rates)),
        )
