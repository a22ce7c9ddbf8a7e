"""
### Let the policy decide again

Takes the hold from one recovery point. What the hold was, who had placed it and who triggered this run stays in the
point's manifest (`past_holds`). What nothing else keeps is marked by the next `retention` and deleted after its grace
period.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from perennial.retention.operators import LiftHoldOperator

with DAG(
    "lift_hold",
    description="Lift the legal hold on a recovery point",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_runs=16,
    is_paused_upon_creation=False,
    params={
        # A default that breaks its own schema, or none at all, would end the whole triggerer.
        "tenant": Param("", type="string", title="Tenant", description="The tenant's id"),
        "recovery_point": Param("", type="string", title="Recovery point", description="Its id"),
    },
    tags=["retention"],
):
    LiftHoldOperator(task_id="lift")
