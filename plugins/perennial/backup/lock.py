"""Immutability: the parts of a verified point are locked where they are stored, for as long as the plan says.

S3 Object Lock on every file of the .bak, an EBS snapshot lock on each snapshot; both in governance mode, so that an
account's owner can still undo a mistake, and nobody with Perennial's rights can.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from include.rules.errors import UnavailableError
from include.rules.points.parts import SnapshotPart
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.vault.leased import LeasedPoint
from perennial.hooks.vault.object_versions import lock_object

SHORTEST = timedelta(days=1, minutes=10)
"""AWS locks a snapshot for a day from now at least (EC2 API reference, LockSnapshot); some minutes to get there."""


async def lock_parts(point: LeasedPoint) -> None:
    """Lock all parts of a verified point, and write into its manifest until when; a second time changes nothing.

    Raises:
        UnavailableError: when AWS refuses; the point is verified all the same.
    """
    manifest, now = point.manifest, datetime.now(UTC)
    intended = manifest.to_lock_until
    if intended is None or intended <= now or (manifest.locked_until and manifest.locked_until >= intended):
        return
    until = max(intended, now + SHORTEST).replace(microsecond=0)
    parts, ebs = manifest.parts, Ebs.of(point.vault.settings)
    try:
        for key in parts.bak.keys if parts.bak else ():
            await point.lease.check()
            await lock_object(point.vault.documents, key, until)
        for snapshot in (parts.db_snapshot, parts.web_snapshot):
            if snapshot:
                await point.lease.check()
                await (
                    _lock_shared(point, snapshot, until)
                    if snapshot.claim
                    else ebs.lock_snapshot(snapshot.snapshot_id, until)
                )
    except UnavailableError as error:
        raise UnavailableError(
            f"Recovery point {manifest.id} of tenant {manifest.tenant} is verified, but not all of its parts could be "
            f"locked: {error.what}",
            why="Whoever has the rights can delete them.",
            todo=error.todo,
            **error.ids,
        ) from error
    await point.change(lambda m: m.model_copy(update={"locked_until": until}))


async def _lock_shared(point: LeasedPoint, part: SnapshotPart, until: datetime) -> None:
    """Lock a shared snapshot for the longest time that one of its users wants, this one's own included.

    Raises:
        UnavailableError: when AWS refuses.
        PartError, RefusedError: when the point does not use the snapshot any more.
    """
    manifest, ebs = point.manifest, Ebs.of(point.vault.settings)
    shared = await point.vault.change_shared_snapshot(
        part.volume_id, part.claim, lambda document: document.locked(manifest.tenant, manifest.id, until)
    )
    longest: datetime | None = None
    # Two that lock at once: the later lock may be the shorter one. Whoever sees a longer one writes that.
    while longest is None or (shared.value.locked_until or longest) > longest:
        longest = shared.value.locked_until or until
        await ebs.lock_snapshot(part.snapshot_id, longest)
        shared = await point.vault.shared_snapshots.require(part.volume_id, part.claim)
