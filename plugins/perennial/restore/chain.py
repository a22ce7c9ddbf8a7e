"""The chain of steps that brings one tenant back."""

from __future__ import annotations

from perennial.restore.operators import (
    AttachVolumesOperator,
    BringSiteOnlineOperator,
    CheckRestoreOperator,
    CloseRestoreOperator,
    CopyFilesOperator,
    OpenRestoreOperator,
    PrepareDatabaseOperator,
    PreviewRestoreOperator,
    RemoveVolumesOperator,
    RestoreDatabaseOperator,
    TakeSafetyPointOperator,
    TakeSiteOfflineOperator,
)
from perennial.steps.approval import ApprovePreviewOperator


def restore_chain() -> None:
    """Declare the steps in the DAG at hand, one after the other.

    Each step takes the lease's next token, which ends the right of the step before it: none may run beside another.
    """
    preview = PreviewRestoreOperator(task_id="preview", approval_task="approval")
    approval = ApprovePreviewOperator(
        task_id="approval",
        preview_task="preview",
        subject="Restore tenant {{ params.into_tenant or params.tenant }}?",
    )
    # Not skipped with the approval, and not begun after one that was turned down.
    start = OpenRestoreOperator(task_id="open", trigger_rule="none_failed")
    # Before the site goes offline: whatever is wrong with the volumes, or with the database on one of them, hurts
    # nobody yet.
    attach = AttachVolumesOperator(task_id="attach_volumes")
    prepare = PrepareDatabaseOperator(task_id="prepare_database")
    offline = TakeSiteOfflineOperator(task_id="take_site_offline")
    safety = TakeSafetyPointOperator(task_id="take_safety_point")
    copy = CopyFilesOperator(task_id="copy_files")
    database = RestoreDatabaseOperator(task_id="restore_database")
    check = CheckRestoreOperator(task_id="check")
    online = BringSiteOnlineOperator(task_id="bring_site_online")
    remove = RemoveVolumesOperator(task_id="remove_volumes").as_teardown(setups=attach)
    close = CloseRestoreOperator(task_id="close").as_teardown(setups=start, on_failure_fail_dagrun=True)
    (
        preview
        >> approval
        >> start
        >> attach
        >> prepare
        >> offline
        >> safety
        >> copy
        >> database
        >> check
        >> online
        >> remove
        >> close
    )
