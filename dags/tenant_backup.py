"""
### One recovery point of one tenant

Started by `daily_backups` through the asset `backups_due`, one run for each tenant; `max_active_runs` is the queue
(`PERENNIAL_BACKUPS_AT_ONCE`).
Which tenant a run is for is its partition key, `<tenant>|daily|<date>`: filter the runs by it, or show its column.

`open` takes the tenant's lease and claims the recovery point's id, the two snapshot steps ask for the EBS snapshots
(their bytes are fixed at once, they complete later), `backup_database` has SQL Server write the .bak into the vault,
`verify` waits for all of it and reads the backup back, `close` writes the final state and gives the lease back.

**When a run has failed**: its `close` says why, and what to do. Clear the task `open` to begin a new attempt under the
same id: parts younger than an hour are adopted, older ones made anew. Clearing a run whose recovery point is verified
does nothing.

**By hand**: triggered with the parameter `tenant`, it makes (or completes) today's daily point. For a backup before an
update use `manual_backup`, which does not wait behind the queue.
"""

from __future__ import annotations

from airflow.sdk import DAG, PartitionedAssetTimetable

from perennial.backup.chain import backup_chain
from perennial.backup.operators import BACKUPS_DUE, backups_at_once
from perennial.backup.partitions import TenantsMapper
from perennial.steps.forms import optional_text

REQUEST = "{{ dag_run.partition_key or ((params.tenant or '') ~ '|daily|' ~ dag_run.run_after) }}"

with DAG(
    "tenant_backup",
    description="One recovery point of one tenant: snapshots, .bak, verification",
    doc_md=__doc__,
    # Typed as the SDK's class, of which Airflow serializes its own alone: others have to be of the core's.
    schedule=PartitionedAssetTimetable(assets=BACKUPS_DUE, default_partition_mapper=TenantsMapper()),  # type: ignore[arg-type]
    catchup=False,
    max_active_runs=backups_at_once(),
    # Keys that are queued while this DAG is paused are lost for good.
    is_paused_upon_creation=False,
    params={
        "tenant": optional_text("Tenant", "Only for a run by hand: the tenant's id"),
    },
    tags=["backup"],
):
    backup_chain(REQUEST)
