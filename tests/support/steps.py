"""The steps of a backup and of a restore in their order, as a test takes them, and what they are asked for."""

from __future__ import annotations

import json
from typing import Any

from include.rules.points.parts import SnapshotRole
from perennial.backup.bak import BackupDatabaseTrigger
from perennial.backup.open_close import CloseRecoveryPointTrigger, OpenRecoveryPointTrigger
from perennial.backup.snapshot import SnapshotVolumeTrigger
from perennial.backup.verify import VerifyRecoveryPointTrigger
from perennial.restore.attach import AttachVolumesTrigger
from perennial.restore.close import CloseRestoreTrigger
from perennial.restore.database import CheckRestoreTrigger, RestoreDatabaseTrigger
from perennial.restore.database_preparation import PrepareDatabaseTrigger
from perennial.restore.files import CopyFilesTrigger
from perennial.restore.open import OpenRestoreTrigger
from perennial.restore.preview import PreviewRestoreTrigger
from perennial.restore.safety_point import TakeSafetyPointTrigger
from perennial.restore.site import BringSiteOnlineTrigger, TakeSiteOfflineTrigger
from perennial.restore.step import RestoreTrigger
from perennial.restore.volumes import RemoveVolumesTrigger
from perennial.steps.trigger import StepTrigger

TODAY = "acme|daily|2026-11-23"
"""The request for the recovery point with which most tests begin."""

Step = tuple[type[StepTrigger], dict[str, str]]
OPEN: Step = (OpenRecoveryPointTrigger, {})
WEB: Step = (SnapshotVolumeTrigger, {"role": SnapshotRole.WEB.value})
DATABASE: Step = (SnapshotVolumeTrigger, {"role": SnapshotRole.DATABASE.value})
BACKUP: Step = (BackupDatabaseTrigger, {})
VERIFY: Step = (VerifyRecoveryPointTrigger, {})
CLOSE: Step = (CloseRecoveryPointTrigger, {})
CHAIN: list[Step] = [OPEN, WEB, DATABASE, BACKUP, VERIFY, CLOSE]
"""The steps of a backup."""

RESTORE: list[Step] = [
    (PreviewRestoreTrigger, {"approval_task": "approval"}),
    (OpenRestoreTrigger, {}),
    (AttachVolumesTrigger, {}),
    (PrepareDatabaseTrigger, {}),
    (TakeSiteOfflineTrigger, {}),
    (TakeSafetyPointTrigger, {}),
    (CopyFilesTrigger, {}),
    (RestoreDatabaseTrigger, {}),
    (CheckRestoreTrigger, {}),
    (BringSiteOnlineTrigger, {}),
    (RemoveVolumesTrigger, {}),
    (CloseRestoreTrigger, {}),
]
RESTORE_MOMENT = "2026-11-23T12:00:00Z"


def restore_form(**changes: Any) -> dict[str, str]:
    """The fields of a restore's steps; `changes` overrides the form of a whole restore of acme, or its moment."""
    moment = changes.pop("moment", RESTORE_MOMENT)
    form = {"tenant": "acme", "confirm": changes.get("into_tenant") or changes.get("tenant") or "acme", **changes}
    return {"form": json.dumps(form), "moment": moment}


def chain_before(step: Step) -> list[Step]:
    """The steps of a backup before `step`."""
    return CHAIN[: CHAIN.index(step)]


def chain_from(step: Step) -> list[Step]:
    """`step` of a backup, and those after it."""
    return CHAIN[CHAIN.index(step) :]


def steps_until(last: type[RestoreTrigger]) -> list[Step]:
    """The steps of a restore before `last`."""
    return RESTORE[: [cls for cls, _ in RESTORE].index(last)]
