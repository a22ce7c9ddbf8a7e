"""Leaving shared snapshots: a point goes off the lists of those that are no parts of it any more.

Nothing is deleted here: the last one to leave ends a shared snapshot, and retention deletes what has ended.
"""

from __future__ import annotations

import logging

from include.rules.errors import PartError, RefusedError, UnavailableError
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName, SnapshotRole
from include.rules.points.shared_snapshots import SharedSnapshot
from perennial.hooks.vault.leased import LeasedPoint

log = logging.getLogger(__name__)


async def leave_dropped(point: LeasedPoint, before: Manifest) -> None:
    """Leave the shared snapshots that were parts of the point as it was before, and are none now."""
    for volume, claim in sorted(before.parts.claims - point.manifest.parts.claims):
        await leave(point, volume, claim)


async def leave(point: LeasedPoint, volume: str, claim: str, *, sealed: str = "") -> None:
    """Take the point off the list of a shared snapshot; what is gone, or in a later attempt's hands, stays as it is.

    Where the vault does not answer the point stays on the list: no backup fails for it, and retention takes it off.

    Args:
        sealed: Why nobody else may join it any more either; empty when others may.

    Raises:
        UnavailableError: when nobody can be kept from joining it.
    """
    manifest, token = point.manifest, point.lease.token

    def left(document: SharedSnapshot) -> SharedSnapshot:
        closed = document.sealed(sealed) if sealed else document
        return closed.left(manifest.tenant, manifest.id, token)

    try:
        await point.vault.change_shared_snapshot(volume, claim, left)
    except (PartError, RefusedError) as error:
        log.info("Shared snapshot %s of volume %s was not left: %s", claim, volume, error)
    except UnavailableError as error:
        if sealed:
            raise
        log.warning("Shared snapshot %s of volume %s was not left; retention does it: %s", claim, volume, error.what)


async def drop_snapshot(point: LeasedPoint, role: SnapshotRole, why: str) -> None:
    """Drop a snapshot that is not there or cannot be read; a shared one is joined by nobody any more."""
    part = point.manifest.snapshot(role)
    await point.change(lambda manifest: manifest.without_part(PartName(role)))
    if part and part.claim_name and part.claim_name not in point.manifest.parts.claims:
        await leave(point, *part.claim_name, sealed=why)
