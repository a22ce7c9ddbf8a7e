"""The order of a restore's steps: none is done before those on which it relies."""

from __future__ import annotations

from typing import Final

from include.rules.errors import RefusedError
from include.rules.restore.record import CHECK, COPY_FILES, PREPARE_DATABASE, RESTORE_DATABASE, RestoreRecord

IN_ORDER: Final = (
    "attach_volumes",
    PREPARE_DATABASE,
    "take_site_offline",
    "take_safety_point",
    COPY_FILES,
    RESTORE_DATABASE,
    CHECK,
    "bring_site_online",
)
"""The steps that build on each other; those that clean up come after any of them."""


def check_order(record: RestoreRecord, step: str) -> None:
    """Refuse a step while one on which it relies is still to be done, since the restore was opened.

    A task that is cleared alone runs at once: without this, a copy would overwrite a site that is online, with no
    safety point, and a check would speak for halves that were not brought back.

    Raises:
        RefusedError: which names what is still to be done.
    """
    before = IN_ORDER[: IN_ORDER.index(step)] if step in IN_ORDER else ()
    to_do = [name for name in before if not record.has_done(name)]
    if to_do:
        raise RefusedError(
            f"Step {step} of restore {record.id} of tenant {record.tenant} comes after {', '.join(to_do)}, which this "
            "attempt has not done.",
            why="It was cleared alone, or the task `open` was, which begins the restore anew; nothing was changed.",
            todo="Clear the task `open` of this run with all tasks after it.",
        )
