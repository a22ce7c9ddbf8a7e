"""The chain of steps that makes one recovery point; every DAG that backs up is built from it."""

from __future__ import annotations

from include.rules.points.part_names import SnapshotRole
from perennial.backup.operators import (
    BackupDatabaseOperator,
    CloseRecoveryPointOperator,
    OpenRecoveryPointOperator,
    SnapshotVolumeOperator,
    VerifyRecoveryPointOperator,
)


def backup_chain(request: str, note: str = "") -> None:
    """Declare the steps in the DAG at hand.

    `close` is the teardown of `open`: it runs after a failed step and after "mark as failed" too, and not when `open`
    itself was refused.

    Args:
        request: Template that renders to `<tenant>|<kind>|<moment>`.
        note: Template of the note that goes into the manifest.
    """
    start = OpenRecoveryPointOperator(task_id="open", request=request, note=note)
    web = SnapshotVolumeOperator(task_id="snapshot_web_volume", request=request, role=SnapshotRole.WEB)
    database = SnapshotVolumeOperator(task_id="snapshot_db_volume", request=request, role=SnapshotRole.DATABASE)
    backup = BackupDatabaseOperator(task_id="backup_database", request=request)
    verify = VerifyRecoveryPointOperator(task_id="verify", request=request)
    close = CloseRecoveryPointOperator(task_id="close", request=request)
    start >> web >> database >> backup >> verify >> close.as_teardown(setups=start, on_failure_fail_dagrun=True)
