"""Trying a part out with few tenants: TENANTS in the environment."""

from __future__ import annotations

import os


def tenants_to_try() -> int | None:
    """How many tenants a trial has; None when this is no trial.

    Raises:
        SystemExit: TENANTS is no number of tenants.
    """
    text = os.environ.get("TENANTS", "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise SystemExit(f"TENANTS is {text!r}, but has to be a number of tenants, such as 10.")
    return int(text)


def fleet_size(tenants: int) -> int:
    """How many tenants to take where the part wants `tenants`: fewer in a trial."""
    trial = tenants_to_try()
    return tenants if trial is None else min(trial, tenants)
