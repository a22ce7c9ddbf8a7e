"""Operator that makes the .bak of a tenant's database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from perennial.backup.bak import BackUpDatabaseTrigger
from perennial.steps.operator import StepOperator


class SqlServerBackupOperator(StepOperator):
    """Have SQL Server write a full backup of the tenant's database into the vault and record it.

    Args:
        request: `<tenant>|<kind>|<moment>`, templated.
    """

    trigger = BackUpDatabaseTrigger

    def __init__(self, *, request: str, **kwargs: Any) -> None:
        super().__init__(fields={"request": request}, **{"deadline": timedelta(hours=12), **kwargs})
