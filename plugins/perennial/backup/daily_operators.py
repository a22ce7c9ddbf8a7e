"""Operators that look at the whole fleet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from perennial.backup.daily import ConfirmDailyBackupsTrigger, ReportRegisterProblemsTrigger
from perennial.steps.operator import StepOperator


class ReportRegisterProblemsOperator(StepOperator):
    """Fail by name when entries of the register could not be used."""

    trigger = ReportRegisterProblemsTrigger

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(fields={}, **kwargs)


class ConfirmDailyBackupsOperator(StepOperator):
    """Wait for the day's recovery points; fail by name when one is still missing.

    Args:
        moment: Any moment of the day (UTC), templated.
        wait_minutes: How long to wait, templated.
    """

    trigger = ConfirmDailyBackupsTrigger

    def __init__(self, *, moment: str, wait_minutes: str, **kwargs: Any) -> None:
        super().__init__(
            fields={"moment": moment, "wait_minutes": wait_minutes}, **{"deadline": timedelta(hours=25), **kwargs}
        )
