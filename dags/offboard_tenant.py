"""
### A tenant has left

Records that a tenant has left, who decided it, and the last day on which its last verified recovery point is kept.
Until then the policy of its newest recovery point goes on; afterwards `retention` asks for approval before the last
points go, and only holds keep anything.

Once its folder and its database are removed from the servers, start it again with the day: until then every new
snapshot of their volumes counts as one that holds the tenant's bytes, and the report of `retention` says in how many
they are.

Take the tenant out of `tenants.yaml` too: while it stands in both, retention leaves it alone and says so. Without this
record the points of a tenant that is not in the register are reported every day and never deleted.

Started again it replaces the record; what is left empty stays as it was. To take it back, delete
`offboarded/<tenant>.json` from the vault.
"""

from __future__ import annotations

from airflow.sdk import DAG

from perennial.retention.operators import OffboardTenantOperator
from perennial.steps import forms

with DAG(
    "offboard_tenant",
    description="Record that a tenant has left and until when its last point is kept",
    doc_md=__doc__,
    **forms.BY_HAND,
    params={
        "tenant": forms.tenant(),
        "final_until": forms.optional_text(
            "Kept until", "The last day (2027-12-31); may stay empty where the tenant is recorded as gone already"
        ),
        "data_removed_on": forms.optional_text(
            "Data removed on", "The day (UTC) on which folder and database were removed; empty while they are there"
        ),
    },
    tags=["retention", "fleet"],
):
    OffboardTenantOperator(task_id="offboard")
