"""
### Which recovery points go, 12:00 UTC

One run for the whole fleet: it plans for every tenant, lets the guards judge the plans, marks what nothing keeps any
more, deletes what has been marked for longer than its grace period, and sweeps what failed attempts have left. It
starts no worker and never waits for a person. [The rules](retention.md) say what is kept and why.

`carry_out` has all of it in its log: every point with its reasons, what went, what was refused. What stops one tenant
(a busy lease, a damaged manifest, a part that AWS does not delete) stops no other. The task **fails at its end when
something needs a person**, and says what: a plan that expires more than usual names the run to start.

**For one tenant**, by hand, with `tenant`: `preview` shows its plan; where points would expire, `approval` waits
(under *Required actions*) until somebody has looked at it, and `carry_out` does what was approved. When the plan has
changed meanwhile it stops instead: nothing goes that nobody has seen. Where nothing would expire, or a guard stops it
that nobody may overrule, `approval` is skipped. Shared snapshots that nobody uses any more go with the next
run of the whole fleet.

`dry_run` shows plans and does nothing.

**To keep a point** that is expiring: `hold_recovery_point` takes it back for as long as its deletion has not begun.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param

from perennial.retention.operators import CarryOutRetentionOperator, PreviewRetentionOperator
from perennial.steps.approval import ApprovePreviewOperator
from perennial.steps.forms import optional_text

with DAG(
    "retention",
    description="Expires and deletes recovery points that nothing keeps any more",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("0 12 * * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    # The fleet's run must never wait behind those that wait for a person, and MAX_DELETE of the whole fleet asks for a
    # run of each tenant. A waiting run holds nothing but its row in the metadata database, and the leases keep two runs
    # apart: a limit would save nothing, and a DAG for runs by hand would be the same steps under a second name.
    max_active_runs=1000,
    is_paused_upon_creation=False,
    params={
        "tenant": optional_text("Tenant", "Only this one; empty for the whole fleet"),
        "dry_run": Param(False, type="boolean", title="Dry run", description="Show the plans and do nothing"),
    },
    tags=["retention", "fleet"],
):
    preview = PreviewRetentionOperator(task_id="preview", approval_task="approval")
    approval = ApprovePreviewOperator(
        task_id="approval",
        preview_task="preview",
        subject="Let recovery points of tenant {{ params.tenant }} expire?",
    )
    # Not skipped with the approval, and not begun after one that was turned down.
    preview >> approval >> CarryOutRetentionOperator(task_id="carry_out", trigger_rule="none_failed")
