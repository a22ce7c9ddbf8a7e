"""The fleets that are measured: twenty tenants to a volume, fifty to a SQL Server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lab.seed.fleet import seed_fleet
from lab.seed.register import registered, unregister
from lab.settings import MOST_SQL_SERVERS, LabSettings

PER_SERVER = 50


@dataclass(frozen=True)
class Fleet:
    """So many tenants, and how many of them share a database volume and a web volume."""

    tenants: int
    per_volume: int = 20

    @property
    def servers(self) -> int:
        """How many SQL Servers they are on: twenty for a thousand."""
        return min(MOST_SQL_SERVERS, -(-self.tenants // PER_SERVER))

    def seed(self, settings: LabSettings) -> dict[str, Any]:
        """Fill a lab, whose servers are up, with these tenants.

        Returns the register's entry of one tenant more, which is not in the register and shares with none of them.
        """
        whole = -(-self.tenants // self.per_volume) * self.per_volume  # the next one begins a volume
        seed_fleet(settings, whole + 1, self.per_volume, say=lambda _: None)
        entries = registered(settings)
        unregister(settings, list(entries)[self.tenants :])
        return list(entries.values())[-1]
