"""Everything that there is of one tenant, in the vault and in EBS, as retention looks at it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from include.rules.errors import PartError
from include.rules.points.left_over import replaced_parts
from include.rules.points.manifest import Manifest
from include.rules.points.parts import ClaimName, PartName
from include.rules.restore.half_restored import points_needed_by_half_restored
from include.rules.retention.lost_parts import failed_for_want_of, is_suspect, report_lost_parts
from include.rules.retention.plan import Circumstances
from include.rules.retention.records import AppliedPolicy
from include.rules.retention.shared import BYTES_STAY, buried_note, lists_to_leave
from include.rules.retention.timeline import TimelinePoint
from perennial.hooks.vault.collection import Versioned
from perennial.hooks.vault.restore_records import RestoresRead, read_restores
from perennial.hooks.vault.vault import Vault
from perennial.retention.applied import read_applied
from perennial.retention.known_points import Folder, KnownPoint, list_folders, settled_points, unchanged
from perennial.retention.lost_parts import find_lost_parts, unseen_volumes
from perennial.retention.shared_looks import SharedLooks
from perennial.retention.strays import find_orphans, find_strangers, find_unlisted, stray_objects


@dataclass(frozen=True)
class TenantInventory:
    """What there is of one tenant.

    Attributes:
        points: What the rules of retention know of the tenant's points; one that has lost a part has failed, also
            before its manifest says so.
        manifests: By recovery point id, as they were read; none of points that were known and have not changed.
        known: By recovery point id, those that need not be read again as long as they do not change.
        problems: What a person has to know: manifests that could not be read, whose points are left alone; records of
            restores that could not, for which all points are kept; lost parts; snapshots and files without a manifest;
            what a point and a shared snapshot say of each other.
        snapshots: By recovery point id, ids of those that belong to the point alone.
        lists: By recovery point id, the shared snapshots that the point uses, by its manifest or by their documents.
        left_over: By recovery point id, snapshots and files that are no part of the point any more.
        unused: By recovery point id, shared snapshots on whose lists it is and that are no part of it.
        lost: By recovery point id, names of parts that are not there any more.
        circumstances: What else bears on the tenant's points at the moment.
        applied: By what retention last acted on the tenant, as it was read.
        buried: By recovery point id, shared snapshots on whose lists points are that were deleted.
    """

    tenant: str
    points: tuple[TimelinePoint, ...]
    manifests: Mapping[str, Versioned[Manifest]]
    known: Mapping[str, KnownPoint]
    problems: tuple[PartError, ...]
    snapshots: Mapping[str, Sequence[str]]
    lists: Mapping[str, frozenset[ClaimName]]
    left_over: Mapping[str, tuple[str, ...]]
    unused: Mapping[str, tuple[ClaimName, ...]]
    lost: Mapping[str, tuple[PartName, ...]]
    circumstances: Circumstances
    applied: Versioned[AppliedPolicy] | None
    buried: Mapping[str, Sequence[ClaimName]]

    @property
    def notes(self) -> list[str]:
        """What else there is to say: of a tenant that has left, and of points that were deleted."""
        has_bytes = self.circumstances.offboarding is not None and any(self.lists.values())
        return [*([BYTES_STAY] if has_bytes else []), *(buried_note(*lists) for lists in self.buried.items())]


async def take_inventory(
    vault: Vault,
    tenant: str,
    now: datetime,
    shared: SharedLooks,
    *,
    ignoring_lease_of: str,
    known: Mapping[str, KnownPoint] | None = None,
) -> TenantInventory:
    """Look at everything that there is of a tenant.

    Args:
        shared: Looks at its snapshots, or has looked at those of the fleet before.
        ignoring_lease_of: The owner whose own lease carries no backup.
        known: Points of an earlier look with the same `now` and the same look at the fleet's snapshots: they are read
            again only where they have changed.

    Raises:
        PartError: when the tenant's lease, its offboarding record or its applied policy cannot be read.
    """
    shared.wanted.begin_look(tenant)
    folders = await list_folders(vault, tenant)
    ids = {name for name, folder in folders.items() if vault.points.key(tenant, name) in folder}
    same = unchanged(known or {}, folders)
    versions, problems = await vault.points_and_problems(tenant, sorted(ids - set(same)))
    manifests, unread = {version.value.id: version for version in versions}, bool(problems)
    for version in versions:
        shared.wanted.note(version.value)
    applied = await read_applied(vault, tenant)
    listing = await shared.look_at(tenant, [version.value for version in versions])
    snapshots, users = listing.own.get(tenant, {}), listing.users.get(tenant, {})
    files = _files(vault, tenant, folders)
    suspects = [v for name, v in manifests.items() if is_suspect(v.value, listing.ids, files.get(name, ()), now)]
    problems += await find_orphans(vault, tenant, ids, snapshots, files)
    strangers, buried = await find_strangers(vault, tenant, {name: users[name] for name in users if name not in ids})
    problems += strangers
    shared.found_buried(tenant, buried)
    problems += await find_unlisted(vault, [version.value for version in versions], users, listing.unread)
    lost = await find_lost_parts(vault, suspects)
    if lost:
        problems.append(report_lost_parts(tenant, {name: manifests[name].value for name in lost}, lost))
    whole = {name: version.value for name, version in manifests.items() if name not in lost}
    left_over = _left_over(whole.values(), snapshots, files)
    unused = {name: lists for name, m in whole.items() if (lists := lists_to_leave(m, users.get(name, ())))}
    restores = await read_restores(vault, tenant)
    problems += [*restores.unread.values(), *stray_objects(f"Among the records of tenant {tenant}", restores.strays)]
    circumstances = await _circumstances(vault, tenant, manifests.values(), restores, now, ignoring_lease_of)
    points = {name: _point(version.value, lost.get(name, ()), now) for name, version in manifests.items()}
    eventful = {*(v.value.id for v in suspects), *left_over, *unused, *circumstances.reading}
    if not unread:
        shared.wanted.end_look(tenant)
    return TenantInventory(
        tenant,
        (*points.values(), *same.values()),
        manifests,
        settled_points(vault, folders, (v for name, v in manifests.items() if name not in eventful), points),
        tuple(problems),
        snapshots,
        {
            name: version.value.parts.claims | {entry.name for entry in users.get(name, ())}
            for name, version in manifests.items()
        },
        left_over,
        unused,
        lost,
        replace(
            circumstances,
            left_over=bool(left_over or unused),
            lost=frozenset(lost),
            unseen_volumes=await unseen_volumes(vault, (manifests[name].value for name in lost), lost),
            unread=unread,
            applied=applied.value if applied else None,
        ),
        applied,
        buried,
    )


def _files(vault: Vault, tenant: str, folders: Mapping[str, Folder]) -> dict[str, list[str]]:
    """By recovery point id, the keys beside its manifest, where there are any."""
    files = {}
    for name, folder in folders.items():
        manifest = vault.points.key(tenant, name)
        if beside := [key for key in folder if key != manifest]:
            files[name] = beside
    return files


def _point(manifest: Manifest, lost: Iterable[PartName], now: datetime) -> TimelinePoint:
    return TimelinePoint.of(failed_for_want_of(manifest, lost, now) if lost else manifest)


def _left_over(
    manifests: Iterable[Manifest],
    snapshots: Mapping[str, Sequence[str]],
    files: Mapping[str, list[str]],
) -> dict[str, tuple[str, ...]]:
    left_over = {}
    for manifest in manifests:
        names = replaced_parts(manifest, snapshots.get(manifest.id, ()), files.get(manifest.id, ()))
        if names:
            left_over[manifest.id] = names
    return left_over


async def _circumstances(
    vault: Vault,
    tenant: str,
    manifests: Iterable[Versioned[Manifest]],
    restores: RestoresRead,
    now: datetime,
    ignoring_lease_of: str,
) -> Circumstances:
    lease, offboarding = await vault.lease(tenant), await vault.offboarded.get_in_place(tenant, tenant)
    busy = lease is not None and lease.value.is_live(now) and lease.value.owner != ignoring_lease_of
    return Circumstances(
        lease_owner=lease.value.owner if lease and busy else None,
        reading=frozenset(v.value.id for v in manifests if v.value.read_until(now)),
        unfinished=points_needed_by_half_restored(tenant, restores.records),
        unread_restores=tuple(sorted(restores.unread)),
        offboarding=offboarding.value if offboarding else None,
    )
