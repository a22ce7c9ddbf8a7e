"""Deletes what the broken attempts at a recovery point have left over."""

from __future__ import annotations

from include.rules.errors import UnavailableError
from include.rules.points.left_over import replaced_parts
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.vault.leased import LeasedPoint


async def sweep(point: LeasedPoint) -> list[str]:
    """Delete the snapshots and files that carry this recovery point's name and are none of its parts."""
    manifest, ebs = point.manifest, Ebs.of(point.vault.settings)
    snapshots = replaced_parts(manifest, [snapshot.id for snapshot in await ebs.snapshots_of_point(manifest.id)], ())
    for snapshot_id in snapshots:
        await point.lease.check()
        try:
            await ebs.delete_snapshot(snapshot_id)
        except UnavailableError as error:
            raise UnavailableError(
                f"Recovery point {manifest.id} of tenant {manifest.tenant} is verified, but an extra snapshot that a "
                f"broken attempt has left could not be deleted: {error.what}",
                why="It costs money until it is.",
                todo="Check the right to delete snapshots tagged perennial:vault, then clear the task `open`.",
                snapshot=snapshot_id,
            ) from error
    files = replaced_parts(manifest, (), await point.vault.backup_file_keys(manifest.tenant, manifest.id))
    for key in files:
        await point.lease.check()
        await point.vault.delete_backup_file(key)
    return [*snapshots, *files]
