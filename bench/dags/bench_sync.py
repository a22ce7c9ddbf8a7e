"""Baseline: the steps of a backup by sync operators, each on a worker from its beginning to its end."""

from __future__ import annotations

from airflow.sdk import DAG, Asset, Param, PartitionedAssetTimetable

from bench.ways.dispatch import MAX_ACTIVE_RUNS, REQUEST, QueueTenantsOperator
from perennial.backup.chain import backup_chain
from perennial.backup.partitions import TenantsMapper

DUE = Asset("bench_sync_due")

with DAG("bench_sync_dispatch", schedule=None, catchup=False, max_active_runs=1, is_paused_upon_creation=False):
    QueueTenantsOperator(task_id="queue_tenants", asset=DUE)

with DAG(
    "bench_sync_backup",
    schedule=PartitionedAssetTimetable(assets=DUE, default_partition_mapper=TenantsMapper()),  # type: ignore[arg-type]
    catchup=False,
    max_active_runs=MAX_ACTIVE_RUNS,
    is_paused_upon_creation=False,
    params={"request": Param("", type="string")},
) as backup:
    backup_chain(REQUEST)
for task in backup.tasks:
    task.start_from_trigger = False  # then a worker calls `execute`, which runs the step's coroutine to its end
