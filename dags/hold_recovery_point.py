"""
### Keep a recovery point, whatever the policy says

Puts one recovery point under a hold: retention leaves it alone until the last day that you name, or until somebody
lifts the hold. Who triggered this run is recorded as its author. A point that is expiring is taken back, as long as its
deletion has not begun; of one whose deletion has, the rest is spared, and the XCom says what that is.

A hold that somebody else has placed is not replaced: start `lift_hold` first. It never waits for a backup or a restore
of the tenant.
"""

from __future__ import annotations

from airflow.sdk import DAG

from perennial.retention.operators import PlaceHoldOperator
from perennial.steps import forms

with DAG(
    "hold_recovery_point",
    description="Put a recovery point under a legal hold",
    doc_md=__doc__,
    **forms.BY_HAND,
    params={
        "tenant": forms.tenant(),
        "recovery_point": forms.text("Recovery point", "Its id"),
        "reason": forms.text("Reason", "A case number, or what it is kept for"),
        "until": forms.optional_text("Until", "The last day (2027-12-31); empty for ever"),
    },
    tags=["retention"],
):
    PlaceHoldOperator(task_id="hold")
