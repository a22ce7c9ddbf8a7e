"""The operator that looks at the register's entries."""

from __future__ import annotations

from datetime import timedelta

from perennial.steps.operator import StepOperator


class CheckRegisterOperator(StepOperator):
    """Look at everything that the register says of `tenant`, or of all tenants where it is empty."""

    trigger = "perennial.register_check.steps.CheckRegisterTrigger"
    deadline = timedelta(hours=4)
    tenant: str
