"""Operators of a restore, one for each step, and of the list from which a recovery point is chosen."""

from __future__ import annotations

from datetime import timedelta

from perennial.steps.approval import APPROVED
from perennial.steps.operator import PreviewOperator, StepOperator

LONG = timedelta(hours=12)


class RestoreOperator(StepOperator):
    """Base of the restore's steps: they all read the DAG's form, and the moment at which it was sent."""

    form: str = "{{ dict(params) | tojson }}"
    moment: str = "{{ dag_run.run_after }}"


class PreviewRestoreOperator(PreviewOperator, RestoreOperator):
    """Look at everything, decide the plan, show it; skips the approval when nobody has to approve."""

    trigger = "perennial.restore.preview.PreviewRestoreTrigger"
    deadline = LONG  # it reads the whole .bak


class OpenRestoreOperator(RestoreOperator):
    """Take the tenant's lease and begin to carry out the plan that was approved."""

    trigger = "perennial.restore.open.OpenRestoreTrigger"
    approved: str = APPROVED


class TakeSiteOfflineOperator(RestoreOperator):
    """Make sure that the .bak is the one that was looked at, and put the offline marker into the site's folder."""

    trigger = "perennial.restore.site.TakeSiteOfflineTrigger"
    deadline = LONG  # a .bak that has changed since the preview is read again


class TakeSafetyPointOperator(RestoreOperator):
    """Make a recovery point of what is about to be overwritten."""

    trigger = "perennial.restore.safety_point.TakeSafetyPointTrigger"
    deadline = LONG


class AttachVolumesOperator(RestoreOperator):
    """Make volumes from the snapshots and attach them to the hosts."""

    trigger = "perennial.restore.attach.AttachVolumesTrigger"


class PrepareDatabaseOperator(RestoreOperator):
    """Make a database beside the standing one from the snapshot of its volume, and check it; overwrites nothing."""

    trigger = "perennial.restore.database_preparation.PrepareDatabaseTrigger"
    deadline = LONG


class CopyFilesOperator(RestoreOperator):
    """Copy the files back, by a script on the web host."""

    trigger = "perennial.restore.files.CopyFilesTrigger"
    deadline = LONG


class RestoreDatabaseOperator(RestoreOperator):
    """Bring the database back, from the .bak or by letting the one from the snapshot take its place."""

    trigger = "perennial.restore.database.RestoreDatabaseTrigger"
    deadline = LONG


class CheckRestoreOperator(RestoreOperator):
    """Check what came back."""

    trigger = "perennial.restore.database.CheckRestoreTrigger"
    deadline = LONG


class BringSiteOnlineOperator(RestoreOperator):
    """Take the offline marker away."""

    trigger = "perennial.restore.site.BringSiteOnlineTrigger"


class RemoveVolumesOperator(RestoreOperator):
    """Detach and delete the volumes."""

    trigger = "perennial.restore.volumes.RemoveVolumesTrigger"


class CloseRestoreOperator(RestoreOperator):
    """Leave nothing behind, write how it ended, give the lease back; fails when the restore was not completed."""

    trigger = "perennial.restore.close.CloseRestoreTrigger"


class ListRecoveryPointsOperator(StepOperator):
    """List the recovery points of `tenant`, or of all tenants where it is empty."""

    trigger = "perennial.restore.listing.ListRecoveryPointsTrigger"
    tenant: str
