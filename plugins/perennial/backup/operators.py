"""Operators of backups: the steps of one recovery point, and those that look at the whole fleet's day.

Fields that several have: `request` is `<tenant>|<kind>|<moment>`.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any, ClassVar, cast

import pendulum
from airflow.sdk import Asset, BaseOperator
from airflow.sdk.definitions.context import Context
from airflow.sdk.exceptions import AirflowSkipException

from include.rules.errors import ConfigurationError
from perennial.steps.operator import StepOperator

BACKUPS_AT_ONCE = 96
"""Most of a small backup is waiting: docs/scale.md, "What breaks first"."""

BACKUPS_DUE = Asset("backups_due")
"""Each of its partitions is one tenant's recovery point that is to be made: `<tenant>|daily|<date>`. An event names
several of them (`include/rules/points/partition_keys.py`).
"""


def backups_at_once() -> int:
    """How many runs of `tenant_backup` may be active (PERENNIAL_BACKUPS_AT_ONCE); Airflow has it from the DAG alone.

    Raises:
        ConfigurationError: when it is no number of runs; Airflow shows that as an import error of the DAG.
    """
    text = os.environ.get("PERENNIAL_BACKUPS_AT_ONCE") or str(BACKUPS_AT_ONCE)
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise ConfigurationError(
            f"The environment variable PERENNIAL_BACKUPS_AT_ONCE is {text!r}, not a number of runs.",
            why="The DAG `tenant_backup` could not be read: no backup begins until it can.",
            todo=f"Set it to a number, or remove it for {BACKUPS_AT_ONCE}; then restart the dag-processor.",
        )
    return int(text)


class OpenRecoveryPointOperator(StepOperator):
    """Take the tenant's lease and claim the recovery point's id; `note` says why, and is kept in the manifest."""

    trigger = "perennial.backup.open_close.OpenRecoveryPointTrigger"
    # It may wait for a busy tenant as long as the settings say; that is known only when it runs.
    deadline = timedelta(hours=24)
    request: str
    note: str = ""


class SnapshotVolumeOperator(StepOperator):
    """Ask for the EBS snapshot of one volume and record it in the recovery point; does not wait for its completion.

    `role` says which volume: a value of SnapshotRole.
    """

    trigger = "perennial.backup.snapshot.SnapshotVolumeTrigger"
    # Amazon takes a snapshot of one volume about every 15 s; the tenants of a shared volume queue up for it.
    deadline = timedelta(hours=4)
    request: str
    role: str


class BackupDatabaseOperator(StepOperator):
    """Have SQL Server write a full backup of the tenant's database into the vault and record it."""

    trigger = "perennial.backup.bak.BackupDatabaseTrigger"
    deadline = timedelta(hours=12)
    request: str


class VerifyRecoveryPointOperator(StepOperator):
    """Wait until all parts are complete, read the backup back, and make the recovery point restorable."""

    trigger = "perennial.backup.verify.VerifyRecoveryPointTrigger"
    deadline = timedelta(hours=12)
    request: str


class CloseRecoveryPointOperator(StepOperator):
    """Write the recovery point's final state and give the lease back; fails when the point is not verified."""

    trigger = "perennial.backup.open_close.CloseRecoveryPointTrigger"
    request: str


class QueueBackupsOperator(BaseOperator):
    """Queue the daily backup of every tenant that is due, on a worker, by few events of BACKUPS_DUE.

    The keys are announced when the task succeeds, all at once. So it is tried again, unlike a step: at nine it asks an
    API server that everybody asks, and one slow answer would cost the whole fleet its morning.

    Args:
        only_missing: Leave out the tenants that have today's recovery point, verified, already.
    """

    nobody_is_due: ClassVar[dict[bool, str]] = {
        False: "The register has no tenant that is due.",
        True: "Every tenant has its verified recovery point of today.",
    }

    def __init__(self, *, only_missing: bool = False, **kwargs: Any) -> None:
        super().__init__(outlets=[BACKUPS_DUE], **{"retries": 3, "retry_delay": timedelta(seconds=20), **kwargs})
        self.only_missing = only_missing

    def execute(self, context: Context) -> list[str]:
        """Queue them; returns the keys."""
        from include.rules.points.partition_keys import join_keys
        from perennial.backup.dispatch import partitions_due, partitions_missing

        run = context["dag_run"]
        moment = pendulum.instance(run.run_after).in_timezone("UTC")
        keys = (partitions_missing if self.only_missing else partitions_due)(moment)
        if not keys:
            # An event without partitions would be announced to nobody, with a warning.
            raise AirflowSkipException(self.nobody_is_due[self.only_missing])
        outlet, joined = context["outlet_events"][BACKUPS_DUE], join_keys(keys)
        outlet.add_partitions(list(joined))
        # Runs are made in the order of their keys. Python's own set, which the outlet keeps them in, has none.
        outlet.partition_keys = cast("set[str]", dict.fromkeys(joined).keys())
        return keys


class ReportRegisterProblemsOperator(StepOperator):
    """Fail by name when entries of the register could not be used."""

    trigger = "perennial.backup.daily.ReportRegisterProblemsTrigger"


class ConfirmDailyBackupsOperator(StepOperator):
    """Wait for the recovery points of the day (UTC) of `moment`, at most `wait_minutes`; fail by name when one is
    still missing.
    """

    trigger = "perennial.backup.daily.ConfirmDailyBackupsTrigger"
    deadline = timedelta(hours=25)
    moment: str
    wait_minutes: str
