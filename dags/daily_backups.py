"""
### The fleet's daily backup, 09:00 UTC

One task names the tenants that are due, in events of the asset `backups_due` that have as many of them as a key has
room for. Airflow makes a run of `tenant_backup` for each tenant, whose partition key is `<tenant>|daily|<date>`. The
runs wait in that DAG's queue and execute as their turn comes.

Triggered by hand on the same day it queues the same recovery points again: those that are verified have nothing to do,
the others are attempted anew.

`report_refused` fails when an entry of the register cannot be used, and names it. All other tenants are backed up.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, TriggerRule

from perennial.backup.operators import QueueBackupsOperator, ReportRegisterProblemsOperator

with DAG(
    "daily_backups",
    description="Queues the daily backup of every tenant",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("0 9 * * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    tags=["backup", "fleet"],
):
    QueueBackupsOperator(task_id="queue_tenants") >> ReportRegisterProblemsOperator(
        task_id="report_refused", trigger_rule=TriggerRule.NONE_FAILED
    )
