"""Deletes what the broken attempts at a recovery point have left over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from include.rules.errors import UnavailableError
from include.rules.points.left_over import replaced_parts
from include.rules.points.manifest import Manifest
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.vault.leased import LeasedPoint


async def sweep(point: LeasedPoint) -> list[str]:
    """Delete the snapshots and files that carry this recovery point's name and are none of its parts."""
    manifest, ebs = point.manifest, Ebs.of(point.vault.settings)
    snapshots = replaced_parts(manifest, [snapshot.id for snapshot in await ebs.snapshots_of_point(manifest.id)], ())
    for snapshot_id in snapshots:
        await point.lease.check()
        right = "the right to delete snapshots tagged perennial:vault"
        with _saying_that_the_point_stands(manifest, "snapshot", right, snapshot=snapshot_id):
            await ebs.delete_snapshot(snapshot_id)
    files = replaced_parts(manifest, (), await point.vault.backup_file_keys(manifest.tenant, manifest.id))
    for key in files:
        await point.lease.check()
        rights = "the rights s3:DeleteObjectVersion and s3:ListBucketVersions"
        with _saying_that_the_point_stands(manifest, "backup file", rights, key=key):
            await point.vault.delete_backup_file(key)
    return [*snapshots, *files]


@contextmanager
def _saying_that_the_point_stands(manifest: Manifest, part: str, rights: str, **ids: str) -> Iterator[None]:
    """Say of a deletion within the block that fails what it means: rubbish is left, and the point is none the worse."""
    try:
        yield
    except UnavailableError as error:
        raise UnavailableError(
            f"Recovery point {manifest.id} of tenant {manifest.tenant} is verified, but an extra {part} that a broken "
            f"attempt has left could not be deleted: {error.what}",
            why="It costs money until it is.",
            todo=f"Check {rights}, then clear the task `open`.",
            **ids,
        ) from error
