"""
### Did everybody get a backup today? 12:00 UTC

`queue_missing` compares the tenants due with the manifests in the vault and queues those again that have no verified
daily recovery point of today: their first run may have failed, or its key may have been lost (keys that are queued
while `tenant_backup` is paused are). Where the first run is still at work, the second waits for it, for half an hour.
Where the night is not over, the first run of a tenant may still wait for its turn: it goes on, and the second one,
behind it in the queue, has nothing to do.

`confirm` waits until all of them are verified, for at most `wait_minutes`, and fails by name when one is not. A tenant
that is suspended or taken out of the register meanwhile is waited for no longer.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, CronTriggerTimetable, Param, TriggerRule

from perennial.backup.operators import ConfirmDailyBackupsOperator, QueueBackupsOperator

with DAG(
    "confirm_daily_backups",
    description="Queues missing daily backups again and names what is still missing",
    doc_md=__doc__,
    schedule=CronTriggerTimetable("0 12 * * *", timezone="UTC", run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    params={
        "wait_minutes": Param(
            360, type="integer", minimum=0, maximum=1440, title="Wait", description="Minutes to wait for missing ones"
        )
    },
    tags=["backup", "fleet"],
):
    QueueBackupsOperator(task_id="queue_missing", only_missing=True) >> ConfirmDailyBackupsOperator(
        task_id="confirm",
        moment="{{ dag_run.run_after }}",
        wait_minutes="{{ params.wait_minutes }}",
        trigger_rule=TriggerRule.NONE_FAILED,
    )
