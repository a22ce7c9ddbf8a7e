"""
### Does the register say what is there?

Looks at everything that the register says of a tenant and that a backup or a restore will rely on: is each volume
attached to the instance that it names, mounted where it says, is the tenant's folder on it and not empty, are the
database's own files on the database volume. It touches nothing.

Press *Trigger* for a new tenant, before its first backup; leave `tenant` empty to look at all of them. The log of the
task `check` shows the findings as a table, and so does its XCom, under `findings`:

* **difference**: what is there is not what the register says. A backup would keep something else, and fails for it.
* **not looked at**: nobody knows, because a host, a server or AWS did not answer.
* **note**: worth knowing; nothing fails for it.

No finding fails the task: it fails only where nothing at all could be looked at.
"""

from __future__ import annotations

from airflow.sdk import DAG

from perennial.register_check.operators import CheckRegisterOperator
from perennial.steps import forms

with DAG(
    "check_register",
    description="Look at what the register says of a tenant, or of all",
    doc_md=__doc__,
    **{**forms.BY_HAND, "max_active_runs": 4},
    params={
        "tenant": forms.optional_text("Tenant", "Its id; empty for all tenants"),
    },
    tags=["register"],
):
    CheckRegisterOperator(task_id="check", tenant="{{ params.tenant or '' }}")
