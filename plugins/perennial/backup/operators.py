"""Operators of backups: the steps of one recovery point, and those that look at the whole fleet's day."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from include.rules.points.parts import SnapshotRole
from perennial.backup.bak import BackUpDatabaseTrigger
from perennial.backup.daily import ConfirmDailyBackupsTrigger, ReportRegisterProblemsTrigger
from perennial.backup.open_close import CloseRecoveryPointTrigger, OpenRecoveryPointTrigger
from perennial.backup.snapshot import SnapshotVolumeTrigger
from perennial.backup.verify import VerifyRecoveryPointTrigger
from perennial.steps.operator import StepOperator


class OpenRecoveryPointOperator(StepOperator):
    """Take the tenant's lease and claim the recovery point's id.

    Args:
        request: `<tenant>|<kind>|<moment>`, templated.
        note: Why the backup is taken, kept in the manifest, templated.
    """

    trigger = OpenRecoveryPointTrigger

    def __init__(self, *, request: str, note: str = "", **kwargs: Any) -> None:
        # It may wait for a busy tenant as long as the settings say; that is known only when it runs.
        super().__init__(fields={"request": request, "note": note}, **{"deadline": timedelta(hours=24), **kwargs})


class EbsSnapshotOperator(StepOperator):
    """Ask for the EBS snapshot of one volume and record it in the recovery point; does not wait for its completion.

    Args:
        request: `<tenant>|<kind>|<moment>`, templated.
        role: Which volume.
    """

    trigger = SnapshotVolumeTrigger

    def __init__(self, *, request: str, role: SnapshotRole, **kwargs: Any) -> None:
        # Amazon takes a snapshot of one volume about every 15 s; the tenants of a shared volume queue up for it.
        super().__init__(fields={"request": request, "role": role.value}, **{"deadline": timedelta(hours=4), **kwargs})


class SqlServerBackupOperator(StepOperator):
    """Have SQL Server write a full backup of the tenant's database into the vault and record it.

    Args:
        request: `<tenant>|<kind>|<moment>`, templated.
    """

    trigger = BackUpDatabaseTrigger

    def __init__(self, *, request: str, **kwargs: Any) -> None:
        super().__init__(fields={"request": request}, **{"deadline": timedelta(hours=12), **kwargs})


class VerifyRecoveryPointOperator(StepOperator):
    """Wait until all parts are complete, read the backup back, and make the recovery point restorable.

    Args:
        request: `<tenant>|<kind>|<moment>`, templated.
    """

    trigger = VerifyRecoveryPointTrigger

    def __init__(self, *, request: str, **kwargs: Any) -> None:
        super().__init__(fields={"request": request}, **{"deadline": timedelta(hours=12), **kwargs})


class CloseRecoveryPointOperator(StepOperator):
    """Write the recovery point's final state and give the lease back; fails when the point is not verified.

    Args:
        request: `<tenant>|<kind>|<moment>`, templated.
    """

    trigger = CloseRecoveryPointTrigger

    def __init__(self, *, request: str, **kwargs: Any) -> None:
        super().__init__(fields={"request": request}, **kwargs)


class ReportRegisterProblemsOperator(StepOperator):
    """Fail by name when entries of the register could not be used."""

    trigger = ReportRegisterProblemsTrigger

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(fields={}, **kwargs)


class ConfirmDailyBackupsOperator(StepOperator):
    """Wait for the day's recovery points; fail by name when one is still missing.

    Args:
        moment: Any moment of the day (UTC), templated.
        wait_minutes: How long to wait, templated.
    """

    trigger = ConfirmDailyBackupsTrigger

    def __init__(self, *, moment: str, wait_minutes: str, **kwargs: Any) -> None:
        super().__init__(
            fields={"moment": moment, "wait_minutes": wait_minutes}, **{"deadline": timedelta(hours=25), **kwargs}
        )
