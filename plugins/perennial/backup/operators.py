"""Operators that open and close a recovery point."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from perennial.backup.open_close import CloseRecoveryPointTrigger, OpenRecoveryPointTrigger
from perennial.steps.operator import StepOperator


class OpenRecoveryPointOperator(StepOperator):
    """Take the tenant's lease and claim the recovery point's id.

    Args:
        request: `<tenant>|<kind>|<moment>`, templated.
        note: Why the backup is taken, kept in the manifest, templated.
    """

    trigger = OpenRecoveryPointTrigger

    def __init__(self, *, request: str, note: str = "", **kwargs: Any) -> None:
        # It may wait for a busy tenant as long as the settings say; that is known only when it runs.
        super().__init__(fields={"request": request, "note": note}, **{"deadline": timedelta(hours=24), **kwargs})


class CloseRecoveryPointOperator(StepOperator):
    """Write the recovery point's final state and give the lease back; fails when the point is not verified.

    Args:
        request: `<tenant>|<kind>|<moment>`, templated.
    """

    trigger = CloseRecoveryPointTrigger

    def __init__(self, *, request: str, **kwargs: Any) -> None:
        super().__init__(fields={"request": request}, **kwargs)
