"""Operators of a restore, one for each step."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from perennial.operators.step import StepOperator
from perennial.triggers.restore import CloseRestoreTrigger, OpenRestoreTrigger
from perennial.triggers.restore_database import CheckRestoreTrigger, RestoreDatabaseTrigger
from perennial.triggers.restore_files import CopyFilesTrigger
from perennial.triggers.restore_step import RestoreTrigger
from perennial.triggers.restore_volume import AttachSnapshotVolumeTrigger, RemoveVolumeTrigger
from perennial.triggers.step import StepTrigger


class RestoreOperator(StepOperator):
    """Base of the restore's steps: they all read the DAG's form.

    Args:
        deadline: How long the step may take.
    """

    trigger: ClassVar[type[StepTrigger]] = RestoreTrigger

    def __init__(self, **kwargs: Any) -> None:
        form = {
            "tenant": "{{ params.tenant }}",
            "recovery_point": "{{ params.recovery_point or '' }}",
            "confirm": "{{ params.confirm }}",
            "moment": "{{ dag_run.run_after }}",
        }
        super().__init__(fields=form, **kwargs)


class OpenRestoreOperator(RestoreOperator):
    """Refuse what must not be restored, take the tenant's lease, begin the record."""

    trigger = OpenRestoreTrigger


class AttachSnapshotVolumeOperator(RestoreOperator):
    """Make a volume from the web snapshot and attach it to the web host."""

    trigger = AttachSnapshotVolumeTrigger


class CopyFilesOperator(RestoreOperator):
    """Copy the files back, by a script on the web host."""

    trigger = CopyFilesTrigger

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"deadline": timedelta(hours=12), **kwargs})


class RemoveVolumeOperator(RestoreOperator):
    """Detach and delete the volume."""

    trigger = RemoveVolumeTrigger


class RestoreDatabaseOperator(RestoreOperator):
    """Restore the .bak over the database."""

    trigger = RestoreDatabaseTrigger

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"deadline": timedelta(hours=12), **kwargs})


class CheckRestoreOperator(RestoreOperator):
    """Check what came back."""

    trigger = CheckRestoreTrigger

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"deadline": timedelta(hours=12), **kwargs})


class CloseRestoreOperator(RestoreOperator):
    """Leave nothing behind, write how it ended, give the lease back; fails when the restore was not completed."""

    trigger = CloseRestoreTrigger
