"""Keys of several recovery points in one: what a dispatch announces, and what becomes of it.

Airflow writes an event for each key that a task has added, all of them in the one request that ends the task: 10.9 ms
of CPU time for each tenant, where an event that names many takes 4.5 ms for each of them.
"""

from __future__ import annotations

from collections.abc import Sequence

LONGEST = 250
"""As many letters as Airflow takes for a key."""


def join_keys(keys: Sequence[str]) -> tuple[str, ...]:
    """As few keys as hold these, which are `<tenant>|<kind>|<moment>`, in their order, as
    `<tenant>,<tenant>,...|<kind>|<moment>`.
    """
    joined = list[str]()
    for key in keys:
        _, _, moment = key.partition("|")
        tenants, _, last_moment = joined[-1].partition("|") if joined else ("", "", "")
        longer = f"{tenants},{key}"
        if joined and last_moment == moment and len(longer) <= LONGEST:
            joined[-1] = longer
        else:
            joined.append(key)
    return tuple(joined)


def split_key(key: str) -> tuple[str, ...]:
    """The keys that `join_keys` has put into one; a key of one tenant is itself."""
    tenants, separator, moment = key.partition("|")
    return tuple(f"{tenant}{separator}{moment}" for tenant in tenants.split(","))
