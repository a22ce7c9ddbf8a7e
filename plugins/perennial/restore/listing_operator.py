"""Operator that lists what the vault holds."""

from __future__ import annotations

from typing import Any

from perennial.restore.listing import ListRecoveryPointsTrigger
from perennial.steps.operator import StepOperator


class ListRecoveryPointsOperator(StepOperator):
    """List the recovery points of a tenant, or of all tenants.

    Args:
        tenant: Its id, templated; empty for all.
    """

    trigger = ListRecoveryPointsTrigger

    def __init__(self, *, tenant: str, **kwargs: Any) -> None:
        super().__init__(fields={"tenant": tenant}, **kwargs)
