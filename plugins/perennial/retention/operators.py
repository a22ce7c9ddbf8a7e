"""Operators of retention, and of what a person decides about recovery points; their fields come from the form."""

from __future__ import annotations

from datetime import timedelta

from perennial.steps.approval import APPROVED
from perennial.steps.operator import PreviewOperator, StepOperator


class RetentionOperator(StepOperator):
    """Base of retention's steps."""

    tenant: str = "{{ params.tenant or '' }}"
    only_report: str = "{{ params.dry_run }}"


class PreviewRetentionOperator(PreviewOperator, RetentionOperator):
    """Show the plan of the one tenant that the form names; skips the approval where none is needed."""

    trigger = "perennial.retention.steps.PreviewRetentionTrigger"


class CarryOutRetentionOperator(RetentionOperator):
    """Mark, take back, delete and sweep, for the fleet or for one tenant; fails when something needs a person."""

    trigger = "perennial.retention.steps.CarryOutRetentionTrigger"
    approved: str = APPROVED
    deadline = timedelta(hours=12)


class DecisionOperator(StepOperator):
    """Base of steps that record a person's decision.

    They run on a worker: Airflow does not tell the triggerer who triggered a run, and a decision needs its author.
    """

    start_from_trigger = False
    tenant: str = "{{ params.tenant or '' }}"
    author: str = "{{ dag_run.triggering_user_name or '' }}"


class PlaceHoldOperator(DecisionOperator):
    """Put the recovery point that the form names under a hold."""

    trigger = "perennial.retention.holds.PlaceHoldTrigger"
    recovery_point: str = "{{ params.recovery_point or '' }}"
    reason: str = "{{ params.reason or '' }}"
    until: str = "{{ params.until or '' }}"


class LiftHoldOperator(DecisionOperator):
    """Lift the hold on the recovery point that the form names."""

    trigger = "perennial.retention.holds.LiftHoldTrigger"
    recovery_point: str = "{{ params.recovery_point or '' }}"


class OffboardTenantOperator(DecisionOperator):
    """Record that the tenant that the form names has left."""

    trigger = "perennial.retention.offboarding.OffboardTenantTrigger"
    final_until: str = "{{ params.final_until or '' }}"
    data_removed_on: str = "{{ params.data_removed_on or '' }}"
