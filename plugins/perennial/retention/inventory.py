"""Everything that there is of one tenant, in the vault and in EBS, as retention looks at it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from include.rules.errors import PartError
from include.rules.points.left_over import replaced_parts
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName
from include.rules.restore.half_restored import LATEST, points_needed_by_half_restored
from include.rules.retention.lost_parts import failed_for_want_of, is_suspect, report_lost_parts
from include.rules.retention.plan import Circumstances
from include.rules.retention.records import AppliedPolicy
from include.rules.retention.timeline import TimelinePoint
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.ebs_items import POINT_TAG, Snapshot
from perennial.hooks.vault.collection import Versioned
from perennial.hooks.vault.vault import Vault
from perennial.retention.applied import read_applied
from perennial.retention.lost_parts import find_lost_parts


@dataclass(frozen=True)
class TenantInventory:
    """What there is of one tenant.

    Attributes:
        manifests: By recovery point id, as they were read.
        problems: What a person has to know: manifests that could not be read, whose points are left alone; lost parts;
            snapshots and files without a manifest.
        snapshots: By recovery point id.
        left_over: By recovery point id, snapshots and files that are no part of the point any more.
        lost: By recovery point id, names of parts that are not there any more.
        circumstances: What else bears on the tenant's points at the moment.
        applied: By what retention last acted on the tenant, as it was read.
    """

    tenant: str
    now: datetime
    manifests: Mapping[str, Versioned[Manifest]]
    problems: tuple[PartError, ...]
    snapshots: Mapping[str, tuple[Snapshot, ...]]
    left_over: Mapping[str, tuple[str, ...]]
    lost: Mapping[str, tuple[PartName, ...]]
    circumstances: Circumstances
    applied: Versioned[AppliedPolicy] | None

    @property
    def points(self) -> list[TimelinePoint]:
        """What the rules of retention know of them; one that has lost a part has failed, also before it says so."""
        return [TimelinePoint.of(self._as_it_is(version.value)) for version in self.manifests.values()]

    def _as_it_is(self, manifest: Manifest) -> Manifest:
        names = self.lost.get(manifest.id)
        return failed_for_want_of(manifest, names, self.now) if names else manifest


async def take_inventory(vault: Vault, tenant: str, now: datetime, *, ignoring_lease_of: str) -> TenantInventory:
    """Look at everything that there is of a tenant.

    Args:
        ignoring_lease_of: The owner whose own lease carries no backup.

    Raises:
        PartError: when the tenant's lease, its offboarding record or its applied policy cannot be read.
    """
    applied = await read_applied(vault, tenant)
    prefix = f"recovery-points/{tenant}/"
    files, ids = defaultdict[str, list[str]](list), list[str]()
    async for key in vault.documents.keys(prefix):
        point_id, _, name = key.removeprefix(prefix).partition("/")
        if name == "manifest.json":
            ids.append(point_id)
        else:
            files[point_id].append(key)
    versions, problems = await vault.points_and_problems(tenant, ids)
    manifests, unread = {version.value.id: version for version in versions}, bool(problems)
    snapshots = defaultdict[str, list[Snapshot]](list)
    for snapshot in await Ebs.of(vault.settings).snapshots_of_tenant(tenant):
        snapshots[snapshot.tags.get(POINT_TAG, "")].append(snapshot)
    snapshot_ids = {snapshot.id for of_point in snapshots.values() for snapshot in of_point}
    suspects = [v for name, v in manifests.items() if is_suspect(v.value, snapshot_ids, files.get(name, ()), now)]
    known = {*ids, *(version.value.id for version in versions)}
    problems += await _orphans(vault, tenant, known, snapshots, files)
    lost = await find_lost_parts(vault, suspects)
    if lost:
        problems.append(report_lost_parts(tenant, {name: manifests[name].value for name in lost}, lost))
    left_over = _left_over([v for name, v in manifests.items() if name not in lost], snapshots, files)
    circumstances = await _circumstances(vault, tenant, manifests.values(), now, ignoring_lease_of)
    return TenantInventory(
        tenant,
        now,
        manifests,
        tuple(problems),
        {name: tuple(of_point) for name, of_point in snapshots.items()},
        left_over,
        lost,
        replace(
            circumstances,
            left_over=bool(left_over),
            lost=frozenset(lost),
            unread=unread,
            applied=applied.value if applied else None,
        ),
        applied,
    )


def _left_over(
    manifests: Iterable[Versioned[Manifest]],
    snapshots: Mapping[str, list[Snapshot]],
    files: Mapping[str, list[str]],
) -> dict[str, tuple[str, ...]]:
    left_over = {}
    for version in manifests:
        manifest = version.value
        snapshot_ids = [snapshot.id for snapshot in snapshots.get(manifest.id, ())]
        names = replaced_parts(manifest, snapshot_ids, files.get(manifest.id, ()))
        if names:
            left_over[manifest.id] = names
    return left_over


async def _circumstances(
    vault: Vault,
    tenant: str,
    manifests: Iterable[Versioned[Manifest]],
    now: datetime,
    ignoring_lease_of: str,
) -> Circumstances:
    lease, offboarding = await vault.lease(tenant), await vault.offboarded.get(tenant, tenant)
    busy = lease is not None and lease.value.is_live(now) and lease.value.owner != ignoring_lease_of
    return Circumstances(
        lease_owner=lease.value.owner if lease and busy else None,
        reading=frozenset(v.value.id for v in manifests if v.value.read_until(now)),
        unfinished=points_needed_by_half_restored(tenant, await vault.latest_restores(tenant, LATEST)),
        offboarding=offboarding.value if offboarding else None,
    )


async def _orphans(
    vault: Vault,
    tenant: str,
    known: Collection[str],
    snapshots: Mapping[str, list[Snapshot]],
    files: Mapping[str, list[str]],
) -> list[PartError]:
    """What carries the tenant's name and belongs to no manifest: it is never deleted, and costs money.

    A backup may have begun since the manifests were listed, so that each is looked for once more.
    """
    problems = []
    for name in sorted({*snapshots, *files} - set(known)):
        if name and await vault.documents.get(vault.points.key(tenant, name)):
            continue
        parts = [*(snapshot.id for snapshot in snapshots.get(name, ())), *files.get(name, ())]
        problems.append(
            PartError(
                f"Tenant {tenant} has snapshots or files of {name or 'no recovery point'}, which has no manifest: "
                f"{', '.join(parts)}.",
                why="Only what a manifest vouches for is ever deleted, so they stay and cost money.",
                todo="Bring the manifest back, or look whether anybody wants them and delete them by hand.",
            )
        )
    return problems
