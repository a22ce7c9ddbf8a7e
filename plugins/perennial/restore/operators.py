"""Operators of a restore, one for each step, and of the list from which a recovery point is chosen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from perennial.restore.close import CloseRestoreTrigger
from perennial.restore.database import CheckRestoreTrigger, RestoreDatabaseTrigger
from perennial.restore.files import CopyFilesTrigger
from perennial.restore.listing import ListRecoveryPointsTrigger
from perennial.restore.open import OpenRestoreTrigger
from perennial.restore.preview import PreviewRestoreTrigger
from perennial.restore.safety_point import TakeSafetyPointTrigger
from perennial.restore.site import BringSiteOnlineTrigger, TakeSiteOfflineTrigger
from perennial.restore.step import RestoreTrigger
from perennial.restore.volumes import AttachVolumesTrigger, RemoveVolumesTrigger
from perennial.steps.operator import StepOperator
from perennial.steps.trigger import StepTrigger

FORM = {"form": "{{ dict(params) | tojson }}", "moment": "{{ dag_run.run_after }}"}
LONG = timedelta(hours=12)


class RestoreOperator(StepOperator):
    """Base of the restore's steps: they all read the DAG's form.

    Args:
        deadline: How long the step may take.
    """

    trigger: ClassVar[type[StepTrigger]] = RestoreTrigger
    longest: ClassVar[timedelta] = timedelta(hours=1)

    def __init__(self, *, fields: dict[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(fields={**FORM, **(fields or {})}, **{"deadline": self.longest, **kwargs})


class PreviewRestoreOperator(RestoreOperator):
    """Look at everything, decide the plan, show it; skips the approval when nobody has to approve.

    Args:
        approval_task: The task to skip; it has to be directly downstream.
    """

    trigger = PreviewRestoreTrigger
    longest = LONG  # it reads the whole .bak
    inherits_from_skipmixin = True

    def __init__(self, *, approval_task: str, **kwargs: Any) -> None:
        super().__init__(fields={"approval_task": approval_task}, **kwargs)


class OpenRestoreOperator(RestoreOperator):
    """Take the tenant's lease and begin to carry the plan out."""

    trigger = OpenRestoreTrigger


class TakeSiteOfflineOperator(RestoreOperator):
    """Put the offline marker into the site's folder."""

    trigger = TakeSiteOfflineTrigger


class TakeSafetyPointOperator(RestoreOperator):
    """Make a recovery point of what is about to be overwritten."""

    trigger = TakeSafetyPointTrigger
    longest = LONG


class AttachVolumesOperator(RestoreOperator):
    """Make volumes from the snapshots and attach them to the hosts."""

    trigger = AttachVolumesTrigger


class CopyFilesOperator(RestoreOperator):
    """Copy the files back, by a script on the web host."""

    trigger = CopyFilesTrigger
    longest = LONG


class RestoreDatabaseOperator(RestoreOperator):
    """Bring the database back, from the .bak or from the snapshot of its volume."""

    trigger = RestoreDatabaseTrigger
    longest = LONG


class CheckRestoreOperator(RestoreOperator):
    """Check what came back."""

    trigger = CheckRestoreTrigger
    longest = LONG


class BringSiteOnlineOperator(RestoreOperator):
    """Take the offline marker away."""

    trigger = BringSiteOnlineTrigger


class RemoveVolumesOperator(RestoreOperator):
    """Detach and delete the volumes."""

    trigger = RemoveVolumesTrigger


class CloseRestoreOperator(RestoreOperator):
    """Leave nothing behind, write how it ended, give the lease back; fails when the restore was not completed."""

    trigger = CloseRestoreTrigger


class ListRecoveryPointsOperator(StepOperator):
    """List the recovery points of a tenant, or of all tenants.

    Args:
        tenant: Its id, templated; empty for all.
    """

    trigger = ListRecoveryPointsTrigger

    def __init__(self, *, tenant: str, **kwargs: Any) -> None:
        super().__init__(fields={"tenant": tenant}, **kwargs)
