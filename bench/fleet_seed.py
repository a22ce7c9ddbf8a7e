"""The fleets that are measured."""

from __future__ import annotations

from lab.seed.tenants import seed
from lab.settings import LabSettings


def seed_tenants(settings: LabSettings, tenants: int) -> None:
    """Fill a lab with so many tenants."""
    seed(settings, say=lambda _: None)
