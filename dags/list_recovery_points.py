"""
### What can be restored?

Lists the recovery points of the vault, newest first: their moment, state, how far they were proven, what is in them,
and the holds and locks on them; of an expiring one, when its grace period ends. Press *Trigger* and open the log of the
task `list`; leave `tenant` empty to see all tenants. Manifests that cannot be read are named; where there are
no others, the task fails.

It reads the vault alone. A new Airflow that was only told where the vault is lists everything, with no register.
"""

from __future__ import annotations

from airflow.sdk import DAG

from perennial.restore.operators import ListRecoveryPointsOperator
from perennial.steps import forms

with DAG(
    "list_recovery_points",
    description="Show what the vault holds",
    doc_md=__doc__,
    **{**forms.BY_HAND, "max_active_runs": 4},
    params={
        "tenant": forms.optional_text("Tenant", "Its id; empty for all tenants"),
    },
    tags=["restore"],
):
    ListRecoveryPointsOperator(task_id="list", tenant="{{ params.tenant or '' }}")
