"""Forgets the documents of shared snapshots that have gone, and of no others.

In the wrong account or Region AWS shows nothing of a snapshot that is there. Were its document forgotten then, nobody
would ever delete the snapshot, and it would cost money for ever.
"""

from __future__ import annotations

from collections.abc import Collection

from include.rules.points.shared_snapshots import SharedSnapshot
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.vault.object_versions import delete_version, versions_below
from perennial.hooks.vault.vault import Vault


async def is_known_to_be_gone(ebs: Ebs, document: SharedSnapshot, deleted: Collection[str]) -> bool:
    """True when nothing is left of what the claim has asked for, as far as anybody can know.

    Args:
        deleted: Ids of the claim's snapshots that this run has seen and deleted.
    """
    if document.snapshot_id in deleted:
        return True
    if not deleted and not await ebs.shows_anything_of(document.volume):
        return False
    return document.snapshot_id is None or await ebs.is_unknown(document.snapshot_id)


async def forget(vault: Vault, document: SharedSnapshot) -> None:
    """Delete the document in all its versions, the latest last: interrupted anywhere, no earlier one shows again."""
    key = vault.shared_snapshots.key(document.volume, document.id)
    for stored in await versions_below(vault.documents, key):
        if stored.key == key:
            await delete_version(vault.documents, stored)
