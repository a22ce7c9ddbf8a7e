"""Names of the claims of shared snapshots: the UTC day, and a number that counts the volume's claims of that day.

People put things into a vault, a copy of a document beside it for instance: only what has this form is a claim's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from typing import Annotated

from pydantic import AfterValidator

_FORM = re.compile(r"([0-9]{8})-([0-9]{4,8})")


def claim_id(day: date, number: int) -> str:
    """Name of the `number`th claim (from 1) of a volume on a UTC day."""
    return f"{day:%Y%m%d}-{number:04d}"


def is_claim_id(name: str) -> bool:
    """True for the name of a claim; False for whatever else somebody may have put beside the documents."""
    return _parsed(name) is not None


def next_claim_id(day: date, claims: Iterable[str]) -> str:
    """Name of the claim of a volume on a UTC day that comes after these; what is none of that day does not count."""
    parsed = (_parsed(one) for one in claims)
    return claim_id(day, 1 + max((number for of, number in filter(None, parsed) if of == day), default=0))


def _parsed(name: str) -> tuple[date, int] | None:
    match = _FORM.fullmatch(name)
    if match is None:
        return None
    try:
        return date.fromisoformat(match[1]), int(match[2])
    except ValueError:
        return None


def _checked(name: str) -> str:
    if not is_claim_id(name):
        raise ValueError("a claim is called by its UTC day and its number, for instance 20261126-0001")
    return name


ClaimId = Annotated[str, AfterValidator(_checked)]
