"""
### Let the policy decide again

Takes the hold from one recovery point. What the hold was, who had placed it and who triggered this run stays in the
point's manifest (`past_holds`). What nothing else keeps is marked by the next `retention` and deleted after its grace
period.
"""

from __future__ import annotations

from airflow.sdk import DAG

from perennial.retention.operators import LiftHoldOperator
from perennial.steps import forms

with DAG(
    "lift_hold",
    description="Lift the legal hold on a recovery point",
    doc_md=__doc__,
    **forms.BY_HAND,
    params={
        "tenant": forms.tenant(),
        "recovery_point": forms.text("Recovery point", "Its id"),
    },
    tags=["retention"],
):
    LiftHoldOperator(task_id="lift")
