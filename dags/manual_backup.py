"""
### Back up now

One recovery point of one tenant, outside the daily queue: press *Trigger*, name the tenant, say why.

Take one before a system update. The tenant's plan limits how many may be taken in a calendar month (UTC); beyond that
`open` refuses. It keeps so many of them (`manual` of its retention, usually 10): where an older point will have to go
for this one, the result of `open` names it.

The .bak is COPY_ONLY: a backup out of turn never becomes the base of a differential backup.
"""

from __future__ import annotations

from airflow.sdk import DAG

from perennial.backup.chain import backup_chain
from perennial.steps import forms

with DAG(
    "manual_backup",
    description="Back up one tenant now",
    doc_md=__doc__,
    **forms.BY_HAND,
    params={
        "tenant": forms.tenant(),
        "note": forms.optional_text("Note", "Why, for whoever looks at it later"),
    },
    tags=["backup"],
):
    backup_chain("{{ params.tenant ~ '|manual|' ~ dag_run.run_after }}", note="{{ params.note or '' }}")
