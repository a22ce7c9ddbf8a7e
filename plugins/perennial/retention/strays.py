"""What does not fit together: it is reported every day, and never deleted.

Every one is looked for once more before it is named: backups go on while retention looks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from include.rules.errors import PartError
from include.rules.points.manifest import Manifest
from include.rules.points.parts import ClaimName
from include.rules.points.transitions import WHOLE
from include.rules.retention.reports import first_named
from include.rules.retention.shared import SharedEntry
from include.rules.retention.shared_errors import misfit_error, unknown_claim_error, unknown_user_error, unlisted_error
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.vault.vault import Vault
from perennial.retention.buried import is_buried
from perennial.retention.shared_looks import SnapshotListing


def stray_objects(where: str, keys: Sequence[str]) -> list[PartError]:
    """What lies where only documents lie, and by its name can be none of them; empty where there is nothing."""
    if not keys:
        return []
    return [
        PartError(
            f"{where} lie objects that no document is called like: {first_named(keys)}.",
            why="Nothing reads them, and nothing deletes them: they stay and cost money.",
            todo="Look whether anybody wants them, and move them out of the vault.",
        )
    ]


async def find_unlisted(
    vault: Vault,
    manifests: Iterable[Manifest],
    users: Mapping[str, Sequence[SharedEntry]],
    unread: Collection[ClaimName],
) -> list[PartError]:
    """Points that are not on the list of a shared snapshot which is a part of theirs.

    Args:
        users: By recovery point id, on whose lists it is.
        unread: Shared snapshots whose lists cannot be read: the look at all documents reports them.
    """
    problems = []
    for manifest in manifests:
        if not _needs(manifest):
            continue
        listed = {entry.name for entry in users.get(manifest.id, ())}
        for name in sorted(manifest.parts.claims - listed - set(unread)):
            try:
                version = await vault.shared_snapshot(*name)
                is_off = version is not None and version.value.user(manifest.tenant, manifest.id) is None
                is_missed = is_off and await _still_needs(vault, manifest, name)
            except PartError:  # the look at all documents reports the one, the next look at the tenant the other
                continue
            if version and is_missed:
                problems.append(unlisted_error(manifest, name, version.value.snapshot_id or "none"))
    return problems


def _needs(manifest: Manifest) -> bool:
    """True for a point that is complete, or comes back as one that is."""
    return manifest.state in WHOLE or manifest.comes_back_as in WHOLE


async def _still_needs(vault: Vault, manifest: Manifest, name: ClaimName) -> bool:
    """Whether the point's manifest says so at this moment: another run may have begun to delete it."""
    version = await vault.points.get_in_place(manifest.tenant, manifest.id)
    return version is not None and _needs(version.value) and name in version.value.parts.claims


async def find_strangers(
    vault: Vault, tenant: str, users: Mapping[str, Sequence[SharedEntry]]
) -> tuple[list[PartError], dict[str, list[ClaimName]]]:
    """Points of the tenant that are on lists and of which the vault has no manifest.

    Returns:
        What is wrong with those that have no tombstone either, and by recovery point id the lists of those that have.
    """
    problems, buried = list[PartError](), dict[str, list[ClaimName]]()
    for point_id, entries in sorted(users.items()):
        try:
            is_known = await is_buried(vault, tenant, point_id)
            if not is_known and await vault.documents.get(vault.points.key(tenant, point_id)):
                continue
            # Whoever deletes a point takes it off its lists first: they are read after it.
            names = [entry.name for entry in entries if await _is_on_list(vault, tenant, point_id, entry.name)]
        except PartError as error:
            problems.append(error)
            continue
        if names and is_known:
            buried[point_id] = names
        elif names:
            problems.append(unknown_user_error(tenant, point_id, names))
    return problems, buried


async def _is_on_list(vault: Vault, tenant: str, point_id: str, name: ClaimName) -> bool:
    version = await vault.shared_snapshot(*name)
    return version is not None and version.value.user(tenant, point_id) is not None


async def find_unknown_claims(vault: Vault, listing: SnapshotListing) -> list[PartError]:
    """Snapshots that carry the tag of a claim of which there is no document, or which is of another volume than theirs.

    Args:
        listing: A look at the whole vault.
    """
    of_tag = {tag: entry.name for entry in listing.entries.values() for tag in entry.tags}
    problems = []
    for (volume, tag), snapshot_ids in sorted(listing.claimed.items()):
        name = of_tag.get(tag)
        if name and name.volume == volume:
            continue
        claim = tag.partition(".")[0]
        if name is None and (ClaimName(volume, claim) in listing.unread or await _has_document(vault, volume, tag)):
            continue
        if shown := await Ebs.of(vault.settings).snapshots(snapshot_ids):
            problems.append(misfit_error(name, volume, shown) if name else unknown_claim_error(tag, volume, shown))
    return problems


async def _has_document(vault: Vault, volume: str, tag: str) -> bool:
    """Whether there is a document of the claim by now, or one that cannot be read, which is reported as such."""
    try:
        version = await vault.shared_snapshot(volume, tag.partition(".")[0])
    except PartError:
        return True
    return version is not None and tag in version.value.tags


async def find_orphans(
    vault: Vault,
    tenant: str,
    known: Collection[str],
    snapshots: Mapping[str, Sequence[str]],
    files: Mapping[str, list[str]],
) -> list[PartError]:
    """What carries the tenant's name and belongs to no manifest."""
    problems = []
    for name in sorted({*snapshots, *files} - set(known)):
        if name and await vault.documents.get(vault.points.key(tenant, name)):
            continue
        shown = await Ebs.of(vault.settings).snapshots(snapshots.get(name, ()))
        parts = [*shown, *files.get(name, ())]
        if not parts:  # another run of retention has deleted the point meanwhile
            continue
        problems.append(
            PartError(
                f"Tenant {tenant} has snapshots or files of {name or 'no recovery point'}, which has no manifest: "
                f"{', '.join(parts)}.",
                why="Only what a manifest vouches for is ever deleted, so they stay and cost money.",
                todo="Bring the manifest back, or look whether anybody wants them and delete them by hand.",
            )
        )
    return problems
