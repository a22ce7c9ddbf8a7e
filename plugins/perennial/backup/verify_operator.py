"""Operator that verifies a recovery point."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from perennial.backup.verify import VerifyRecoveryPointTrigger
from perennial.steps.operator import StepOperator


class VerifyRecoveryPointOperator(StepOperator):
    """Wait until all parts are complete, read the backup back, and make the recovery point restorable.

    Args:
        request: `<tenant>|<kind>|<moment>`, templated.
    """

    trigger = VerifyRecoveryPointTrigger

    def __init__(self, *, request: str, **kwargs: Any) -> None:
        super().__init__(fields={"request": request}, **{"deadline": timedelta(hours=12), **kwargs})
