"""Whose a restore's record is."""

from __future__ import annotations

from include.rules.errors import RefusedError
from include.rules.restore.record import RestoreRecord


def check_owner(record: RestoreRecord, owner: str) -> None:
    """Refuse a record that another run has written: two runs started in the same second have one id between them.

    Raises:
        RefusedError: when it is not `owner`'s; then its plan is not the one that was shown or approved here.
    """
    if record.owner != owner:
        raise RefusedError(
            f"Restore {record.id} of tenant {record.tenant} belongs to another run, started in the same second.",
            why="What was approved for one must not be carried out by the other; nothing was restored.",
            todo="Start this restore again.",
            owner=record.owner,
        )
