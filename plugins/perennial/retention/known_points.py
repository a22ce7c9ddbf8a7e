"""What a run keeps of its first look at a tenant, so that it needs not read all manifests again under the lease.

A manifest whose ETag is the one under which it was read has the content that was read: that is what every change of the
vault rests on (If-Match), and each write has a nonce of its own, so that no content ever comes twice. It holds where an
ETag is no hash of the content, too (SSE-KMS). What is new, has changed, or cannot be compared is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import NamedTuple

from include.rules.points.manifest import Manifest
from include.rules.retention.timeline import TimelinePoint
from perennial.hooks.vault.collection import Versioned
from perennial.hooks.vault.vault import Vault

Folder = dict[str, str]
"""What a listing shows of a recovery point's folder in the vault: ETags by key, the manifest's among them."""


class KnownPoint(NamedTuple):
    """A recovery point that has all its parts and nothing besides, and that no restore reads: as long as its folder is
    the same, and the look at the snapshots, all that retention knows of it holds.

    Attributes:
        folder: Digest of its folder, in which the manifest has the ETag under which it was read.
    """

    folder: bytes
    point: TimelinePoint


async def list_folders(vault: Vault, tenant: str) -> dict[str, Folder]:
    """The folders of a tenant's recovery points, by recovery point id."""
    prefix, folders = f"recovery-points/{tenant}/", defaultdict[str, Folder](dict)
    async for item in vault.documents.listed(prefix):
        folders[item.key.removeprefix(prefix).partition("/")[0]][item.key] = item.etag
    return dict(folders)


def settled_points(
    vault: Vault,
    folders: Mapping[str, Folder],
    versions: Iterable[Versioned[Manifest]],
    points: Mapping[str, TimelinePoint],
) -> dict[str, KnownPoint]:
    """What to keep of points of which nothing but the plan has to be made, but for those whose manifest was written
    between the listing and its reading; by recovery point id.

    Args:
        folders: As they were listed before the manifests were read.
        points: What the rules know of the points, by recovery point id.
    """
    return {
        manifest.id: KnownPoint(_digest(folders[manifest.id]), points[manifest.id])
        for manifest, etag in ((version.value, version.etag) for version in versions)
        if folders[manifest.id][vault.points.key(manifest.tenant, manifest.id)] == etag
    }


def unchanged(known: Mapping[str, KnownPoint], folders: Mapping[str, Folder]) -> dict[str, TimelinePoint]:
    """What the rules know of those points whose folder is still the same, by recovery point id."""
    return {
        name: entry.point for name, entry in known.items() if name in folders and _digest(folders[name]) == entry.folder
    }


def _digest(folder: Folder) -> bytes:
    """Tells folders apart; those of a fleet are too many to keep as they are."""
    return blake2b(repr(sorted(folder.items())).encode(), digest_size=16).digest()
