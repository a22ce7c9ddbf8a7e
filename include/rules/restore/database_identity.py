"""Whether a database is still the one that it was: decided by what the server says of it, before and now."""

from __future__ import annotations

from include.rules.register.tenants import Strict

RESTORING = "RESTORING"
"""State of a database that a RESTORE has begun to write (sys.databases)."""


class DatabaseIdentity(Strict):
    """By what a server tells a database, and what has been restored to it, from any other.

    Attributes:
        state: As sys.databases names it; empty when there is no such database.
        number: Its database_id.
        created: When it was created, attached or renamed, as the server writes it.
        recovery_fork: Changes with every recovery that ends a restore; empty while the server does not say (offline).
        last_restore: The last entry of this name in msdb.dbo.restorehistory; 0 when there is none.
    """

    state: str = ""
    number: int = 0
    created: str = ""
    recovery_fork: str = ""
    last_restore: int = 0


def is_untouched(before: DatabaseIdentity | None, now: DatabaseIdentity) -> bool:
    """True when nothing can have been written to the database since `before`; False also when nobody knows.

    The first thing that a RESTORE does, once it has planned, is to make the database RESTORING, and the last one is to
    give it a new recovery fork; a database that was dropped, attached or renamed has a new number or time. Of one that
    was RESTORING before nobody can say what has been added.

    Args:
        before: None when nobody has noted it.
    """
    if before is None or before.state == RESTORING:
        return False
    if not before.state:
        return not now.state
    forks = {before.recovery_fork, now.recovery_fork} - {""}
    return (
        now.state in (before.state, "ONLINE")
        and (now.number, now.created, now.last_restore) == (before.number, before.created, before.last_restore)
        and len(forks) < 2
    )
