"""Looks whether the parts of recovery points are still there, each by its own id or key: listings may lag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from include.rules.errors import PartError
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName, SnapshotRole
from include.rules.retention.lost_parts import absent
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.errors import AwsRejectedError
from perennial.hooks.vault.collection import Versioned
from perennial.hooks.vault.vault import Vault


async def find_absent_parts(vault: Vault, manifests: Iterable[Manifest]) -> dict[str, tuple[PartName, ...]]:
    """Names of the parts that are not there, by recovery point id; points that are whole are left out."""
    points = list(manifests)
    snapshots = set(await Ebs.of(vault.settings).snapshots({n for m in points for n in m.parts.snapshot_ids}))
    keys = [key for m in points for key in (m.parts.bak.keys if m.parts.bak else ())]
    files = {file.key for file in await vault.backup_files(keys) if file}
    by_id = {m.id: absent(m, snapshots - await _left_by(vault, m), files) for m in points}
    return {point_id: names for point_id, names in by_id.items() if names}


async def _left_by(vault: Vault, manifest: Manifest) -> set[str]:
    """Ids of the shared snapshots that a point has left, whose deletion has begun: they are there for others.

    One whose list cannot be read it has not left: what nobody knows of is not lost.
    """
    if manifest.expiry is None or manifest.expiry.deletion_began_at is None:
        return set()
    left = set[str]()
    for role in SnapshotRole:
        part = manifest.snapshot(role)
        if part and part.claim:
            try:
                version = await vault.shared_snapshot(part.volume_id, part.claim)
            except (PartError, AwsRejectedError):
                continue
            if version is None or version.value.user(manifest.tenant, manifest.id) is None:
                left.add(part.snapshot_id)
    return left


async def unseen_volumes(
    vault: Vault, manifests: Iterable[Manifest], lost: Mapping[str, Sequence[PartName]]
) -> tuple[str, ...]:
    """Volumes of lost snapshots of which AWS shows nothing at all: it may have been asked in the wrong place.

    Args:
        manifests: Of the points that have lost parts.
        lost: Names of those, by recovery point id.
    """
    roles = [(manifest, role) for manifest in manifests for role in SnapshotRole if PartName(role) in lost[manifest.id]]
    volumes = {part.volume_id for manifest, role in roles if (part := manifest.snapshot(role))}
    ebs = Ebs.of(vault.settings)
    return tuple([volume for volume in sorted(volumes) if not await ebs.shows_anything_of(volume)])


async def find_lost_parts(vault: Vault, suspects: Iterable[Versioned[Manifest]]) -> dict[str, tuple[PartName, ...]]:
    """As above, of points of one tenant whose manifest still says what it said before the look: nobody is at work on
    them.
    """
    versions = list(suspects)
    if not versions:
        return {}
    lost = await find_absent_parts(vault, (version.value for version in versions))
    etags = {version.value.id: version.etag for version in versions}
    again, _ = await vault.points_and_problems(versions[0].value.tenant, lost)
    unchanged = {version.value.id for version in again if version.etag == etags[version.value.id]}
    return {point_id: names for point_id, names in lost.items() if point_id in unchanged}
