"""
### Bring a tenant back

Overwrites the tenant's web files and its database, in place, with those of one recovery point. Type the tenant's name
into `confirm`; leave `recovery_point` empty for the newest verified one.

1. `open` refuses what must not be restored (a point that is not verified, a tenant that is busy) before anything is
   touched, and takes the tenant's lease.
2. `attach_volume` makes a volume from the web snapshot and attaches it to the web host as another drive.
3. `copy_files` makes the tenant's folder the same as it was, and compares every file.
4. `restore_database` keeps everybody out, restores the .bak over the database, and lets users in again.
5. `check` runs DBCC CHECKDB.
6. `remove_volume` detaches and deletes that volume, after a failure too.
7. `close` writes how it ended and gives the lease back. When the restore was not completed, it says what is where.

**When a run has failed**: mend what `close` says, then clear the task `open`. Every step may be repeated.
"""

from __future__ import annotations

from airflow.sdk import DAG, Param

from perennial.operators.restore import (
    AttachSnapshotVolumeOperator,
    CheckRestoreOperator,
    CloseRestoreOperator,
    CopyFilesOperator,
    OpenRestoreOperator,
    RemoveVolumeOperator,
    RestoreDatabaseOperator,
)

with DAG(
    "restore",
    description="Bring one tenant back from a recovery point",
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_runs=8,
    is_paused_upon_creation=False,
    params={
        # The form wants a value where null is not allowed. A default that breaks its own schema, or none at all, would
        # end the whole triggerer.
        "tenant": Param("", type="string", title="Tenant", description="Who is brought back"),
        "recovery_point": Param(
            None,
            type=["null", "string"],
            title="Recovery point",
            description="Its id; empty for the newest verified one",
        ),
        "confirm": Param(
            "",
            type="string",
            title="Confirm",
            description="Type the tenant's name: its files and its database will be overwritten",
        ),
    },
    tags=["restore"],
):
    start = OpenRestoreOperator(task_id="open")
    attach = AttachSnapshotVolumeOperator(task_id="attach_volume")
    copy = CopyFilesOperator(task_id="copy_files")
    remove = RemoveVolumeOperator(task_id="remove_volume").as_teardown(setups=attach)
    database = RestoreDatabaseOperator(task_id="restore_database")
    check = CheckRestoreOperator(task_id="check")
    close = CloseRestoreOperator(task_id="close").as_teardown(setups=start, on_failure_fail_dagrun=True)

    # One after the other: each step takes the lease's next token, which ends the right of the step before it.
    start >> attach >> copy >> database >> check >> remove >> close
