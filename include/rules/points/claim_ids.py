"""Names of the claims of shared snapshots: the UTC day, and a number that counts the volume's claims of that day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date


def claim_id(day: date, number: int) -> str:
    """Name of the `number`th claim (from 1) of a volume on a UTC day."""
    return f"{day:%Y%m%d}-{number:04d}"


def next_claim_id(day: date, claims: Iterable[str]) -> str:
    """Name of the claim of a volume on a UTC day that comes after these; those of other days do not count."""
    of_the_day = claim_id(day, 0).rpartition("-")[0]
    numbers = [int(number) for prefix, _, number in (one.rpartition("-") for one in claims) if prefix == of_the_day]
    return claim_id(day, 1 + max(numbers, default=0))
