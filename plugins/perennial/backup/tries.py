"""How often a backup that SQL Server has failed is made again: what may pass often, what will not change never."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from include.rules.points.backup_files import MOST_STRIPES, BackupFileClaim
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.faults import Fault

WITH_MORE_FILES = 2
"""How often a backup whose files could not hold it is made again, each time in twice as many."""

DAMAGED = 1
"""How often it is made again when a page of the database could not be read right: a volume may have a bad moment."""

UNEXPLAINED = 1
"""How often it is made again when reading or writing has failed for a reason that nobody knows."""


@dataclass
class Tries:
    """The tries that a backup has had so far, by the kind of the fault that ended them.

    Attributes:
        pauses: Seconds before each next try after what may pass.
        second_look: Seconds before what seems damaged is read again.
    """

    pauses: Sequence[float]
    second_look: float
    damaged: int = 0
    transient: int = 0
    larger: int = 0
    unexplained: int = 0

    def pause_after(self, error: SqlServerError, claim: BackupFileClaim | None) -> float | None:
        """Seconds until the next try; None when there is none: the same would only be refused, or fail, again.

        Args:
            claim: The files that the try was to write to, if it came so far.
        """
        if error.is_transient and self.transient < len(self.pauses):
            self.transient += 1
            return self.pauses[self.transient - 1]
        has_room = claim is not None and len(claim.keys) < MOST_STRIPES
        if error.met_file_limit and has_room and self.larger < WITH_MORE_FILES:
            self.larger += 1
            return 0
        if error.fault is Fault.DAMAGE and self.damaged < DAMAGED:
            self.damaged += 1
            return self.second_look
        if error.is_unexplained_io and self.unexplained < UNEXPLAINED:
            self.unexplained += 1
            return self.pauses[0]
        return None
