"""What does not fit together of shared snapshots, their documents and recovery points: a person is told, and nothing is
deleted for it.
"""

from __future__ import annotations

from collections.abc import Iterable

from include.rules.errors import PartError
from include.rules.points.manifest import Manifest
from include.rules.points.parts import ClaimName
from include.rules.points.shared_snapshots import SharedSnapshot
from include.rules.retention.reports import first_named


def unlisted_error(manifest: Manifest, name: ClaimName, snapshot_id: str) -> PartError:
    """A recovery point uses a shared snapshot and is not on its list: it may go when the others have left."""
    return PartError(
        f"Recovery point {manifest.id} of tenant {manifest.tenant} uses shared snapshot {name}, and is not on the list "
        "of its users.",
        why="The list is what keeps a snapshot: when the others have left it, the point may lose this part.",
        todo="Somebody has edited one of the two: put the point back on the list (docs/vault.md, Shared snapshots).",
        snapshot=snapshot_id,
    )


def unknown_user_error(tenant: str, point: str, names: Iterable[ClaimName]) -> PartError:
    """A user of shared snapshots of which the vault has neither manifest nor tombstone."""
    return PartError(
        f"Recovery point {point} of tenant {tenant} uses shared snapshots ({', '.join(map(str, names))}), and the "
        "vault has no manifest of it.",
        why="Nobody knows whether anybody wants it, so it stays on their lists, and they stay and cost money.",
        todo="Bring the manifest back, or take the point off the lists by hand (docs/vault.md, Shared snapshots).",
    )


def unknown_claim_error(tag: str, volume: str, snapshot_ids: Iterable[str]) -> PartError:
    """Snapshots with the tag of a claim of which the vault has no document."""
    return PartError(
        f"Snapshots of volume {volume} carry the tag of claim {tag}, and the vault has no document of it: "
        f"{', '.join(sorted(snapshot_ids))}.",
        why="Nobody knows who uses them, so they stay and cost money.",
        todo="Bring the document back, or delete them by hand once no recovery point names them.",
    )


def misfit_error(name: ClaimName, volume: str, snapshot_ids: Iterable[str]) -> PartError:
    """Snapshots that carry the tag of a claim, or are named by its document, and show another volume."""
    return PartError(
        f"Snapshots of volume {volume} pass for shared snapshot {name}: {', '.join(sorted(snapshot_ids))}.",
        why="A copy has the tags of its original, and nobody knows what it is for: they stay and cost money.",
        todo="Take the tags `perennial:` off what is to stay, and delete the rest by hand; correct the document "
        "where it names one of them (docs/vault.md, Shared snapshots).",
    )


def contested_error(document: SharedSnapshot, snapshot_ids: Iterable[str]) -> PartError:
    """Snapshots that manifests name as those of a claim, and whose document names another one."""
    return PartError(
        f"Recovery points name {', '.join(sorted(snapshot_ids))} as shared snapshot {document.name}, and its document "
        f"names {document.snapshot_id}.",
        why="Both may be wanted: they stay and cost money.",
        todo="Somebody has edited one of the two: correct it (docs/vault.md, Shared snapshots).",
    )


def not_shown_error(document: SharedSnapshot) -> PartError:
    """A shared snapshot that AWS does not show, and nothing shows that it was asked in the right place."""
    what = f"Its snapshot {document.snapshot_id}" if document.snapshot_id else "What its claim may have asked for"
    return PartError(
        f"Nobody uses shared snapshot {document.name} any more. {what} is not shown, and neither is the volume nor "
        "another snapshot of it.",
        why="In the wrong account or Region it would look the same, so its document stays.",
        todo="Check account and Region of the Airflow connection for AWS. If they are the right ones, the snapshot has "
        "gone, and so has the volume: delete the document by hand (docs/vault.md, Shared snapshots).",
    )


def still_used_error(document: SharedSnapshot) -> PartError:
    """A shared snapshot that is to be deleted although its list is not empty."""
    return PartError(
        f"Shared snapshot {document.name} is in state `deleting`, and {len(document.users)} recovery points are on its "
        f"list, {document.users[0].point} of tenant {document.users[0].tenant} first.",
        why="Whoever leaves it last lets it go, so it stays until then.",
        todo="Somebody has edited it: set its state to `sealed` if its snapshot is still there (docs/vault.md, Shared "
        "snapshots).",
    )


def in_doubt_error(names: Iterable[ClaimName], tenants: Iterable[str]) -> PartError:
    """Shared snapshots with empty lists that were left alone, because not all points of these tenants are known."""
    in_order = [str(name) for name in sorted(names)]
    return PartError(
        f"Nobody is on the lists of shared snapshots {first_named(in_order)}, and they were "
        f"not deleted: not all points of tenants {', '.join(sorted(tenants))} could be looked at.",
        why="One of those may need them, whatever the lists say.",
        todo="Do what the report says of these tenants; the next `retention` of the fleet tries again.",
    )
