"""Operator that snapshots one of a tenant's volumes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from include.rules.points.manifest import SnapshotRole
from perennial.backup.snapshot import SnapshotVolumeTrigger
from perennial.steps.operator import StepOperator


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
