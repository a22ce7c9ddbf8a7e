"""Operators of retention, and of what a person decides about recovery points."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from perennial.retention.holds import DecisionTrigger, LiftHoldTrigger, OffboardTenantTrigger, PlaceHoldTrigger
from perennial.retention.steps import CarryOutRetentionTrigger, PreviewRetentionTrigger
from perennial.steps.operator import StepOperator
from perennial.steps.trigger import StepTrigger

FORM = {"tenant": "{{ params.tenant or '' }}", "dry_run": "{{ params.dry_run }}"}
AUTHOR = "{{ dag_run.triggering_user_name or '' }}"


class PreviewRetentionOperator(StepOperator):
    """Show the plan of the one tenant that the form names; skips the approval where none is needed.

    Args:
        approval_task: The task to skip; it has to be directly downstream.
    """

    trigger = PreviewRetentionTrigger
    inherits_from_skipmixin = True

    def __init__(self, *, approval_task: str, **kwargs: Any) -> None:
        super().__init__(fields={**FORM, "approval_task": approval_task}, **kwargs)


class CarryOutRetentionOperator(StepOperator):
    """Mark, take back, delete and sweep, for the fleet or for one tenant; fails when something needs a person."""

    trigger = CarryOutRetentionTrigger

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(fields=FORM, **{"deadline": timedelta(hours=12), **kwargs})


class DecisionOperator(StepOperator):
    """Base of steps that record a person's decision.

    They run on a worker: Airflow does not tell the triggerer who triggered a run, and a decision needs its author.

    Args:
        form: The form's fields, as the trigger calls them.
    """

    trigger: ClassVar[type[StepTrigger]] = DecisionTrigger
    start_from_trigger = False

    def __init__(self, *, form: tuple[str, ...], **kwargs: Any) -> None:
        asked = {name: f"{{{{ params.{name} or '' }}}}" for name in form}
        super().__init__(fields={**asked, "author": AUTHOR}, **kwargs)


class PlaceHoldOperator(DecisionOperator):
    """Put the recovery point that the form names under a hold."""

    trigger = PlaceHoldTrigger

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(form=("tenant", "recovery_point", "reason", "until"), **kwargs)


class LiftHoldOperator(DecisionOperator):
    """Lift the hold on the recovery point that the form names."""

    trigger = LiftHoldTrigger

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(form=("tenant", "recovery_point"), **kwargs)


class OffboardTenantOperator(DecisionOperator):
    """Record that the tenant that the form names has left."""

    trigger = OffboardTenantTrigger

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(form=("tenant", "final_until"), **kwargs)
