"""Restores that read a recovery point, noted in its manifest: retention, which changes the same document, sees them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from include.rules.points.manifest import Manifest, Reader
from include.rules.restore.approval import check_same_parts
from include.rules.restore.choice import check_restorable
from include.rules.restore.record import RestoreRecord
from perennial.hooks.vault.vault import Vault

LONGEST = timedelta(days=3)
"""Longer than all steps of a restore may take together: so long retention leaves the recovery point alone."""


async def begin_reading(vault: Vault, record: RestoreRecord) -> None:
    """Write into the manifest that the restore reads it.

    Raises:
        RefusedError: when the point is no longer verified, or holds other parts than the plan was made for.
    """
    now, plan = datetime.now(UTC), record.plan

    def read(manifest: Manifest) -> Manifest:
        check_restorable(manifest)
        check_same_parts(plan, manifest)
        return manifest.with_reader(Reader(restore=record.id, until=now + LONGEST), now)

    await vault.change_point(plan.source, plan.recovery_point, read)


async def end_reading(vault: Vault, record: RestoreRecord) -> None:
    """Take the restore out of the manifest, if it stands there."""
    plan = record.plan
    version = await vault.points.get(plan.source, plan.recovery_point)
    if version and any(reader.restore == record.id for reader in version.value.readers):
        await vault.change_point(plan.source, plan.recovery_point, lambda m: m.without_reader(record.id))
