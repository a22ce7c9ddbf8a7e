"""What earlier attempts have left of a recovery point: snapshots and files that are none of its parts any more."""

from __future__ import annotations

from collections.abc import Iterable

from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotRole
from include.rules.points.transitions import State


def volumes_of(manifest: Manifest) -> frozenset[str]:
    """Volumes that snapshots of the point show: those of its parts, and its tenant's when the attempt began. A copy has
    the tags of its original, and shows another one.
    """
    return frozenset(part.volume_id for part in manifest.parts.snapshots) | {
        manifest.volume_of(role) for role in SnapshotRole
    }


def replaced_parts(manifest: Manifest, snapshots: Iterable[str], files: Iterable[str]) -> tuple[str, ...]:
    """Which of the snapshots and backup files that carry this point's name belong to none of its parts.

    Earlier attempts and lost answers leave them behind. Only a verified point has replacements for all of them; what a
    point in another state has left may still be adopted, is wanted for diagnosis, or goes with the point.

    Args:
        snapshots: Ids of the EBS snapshots tagged with this recovery point.
        files: Keys of the backup files that lie beside its manifest.
    """
    if manifest.state is not State.VERIFIED or manifest.missing():  # what an edited manifest misses may be among them
        return ()
    parts = manifest.parts
    own = {*parts.snapshot_ids, *(parts.bak.keys if parts.bak else ())}
    return tuple(name for name in (*snapshots, *files) if name not in own)
