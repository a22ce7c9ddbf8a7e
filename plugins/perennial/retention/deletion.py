"""Deletes what belongs to one recovery point, each part by itself: what AWS refuses stops no other part.

Only what carries our tags, or lies beside the manifest, is ever deleted. Every deletion looks at the lease first, and
every one of a whole point at its manifest as well: a hold that is placed in its midst spares what is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial

from botocore.exceptions import ClientError

from include.rules.errors import ConflictError, UnavailableError
from include.rules.points.parts import SnapshotRole
from include.rules.retention.expiry import refuse_wanted, tombstone
from include.rules.retention.undeleted import LOCK_HOLDS, Refused
from perennial.hooks.aws.ebs import PART_TAG, Ebs, Snapshot
from perennial.hooks.aws.errors import error_code, is_transient
from perennial.hooks.vault.leased import LeasedPoint
from perennial.hooks.vault.object_versions import ObjectVersion, delete_version, locked_until, versions_below


class Deletion:
    """The deletion of one recovery point, or of some of its parts.

    Args:
        point: The point, under the tenant's lease.
        now: The moment of acting, in UTC.

    Attributes:
        refused: What AWS has refused to delete so far.
    """

    def __init__(self, point: LeasedPoint, now: datetime) -> None:
        self.point, self.now = point, now
        self.ebs = Ebs.of(point.vault.settings)
        self.refused: list[Refused] = []
        self._ends_point = False
        self._tried_parts = set[str]()

    async def is_locked(self) -> bool:
        """Look whether a lock holds any part, before the first one goes: the others would be lost, and the rest no use.

        What is locked is added to `refused`.
        """
        documents, files = self.point.vault.documents, await self._versions_of_files()
        bytes_of = [version for version in files if not version.marker]
        ends = await asyncio.gather(*(locked_until(documents, version) for version in bytes_of))
        held: dict[str, datetime | None] = {v.key: until for v, until in zip(bytes_of, ends, strict=True) if until}
        snapshots = await self.ebs.snapshots_of_point(self.point.manifest.id)
        locks = await self.ebs.locked_snapshots(snapshot.id for snapshot in snapshots)
        held |= {f"snapshot {name}": until for name, until in locks.items()}
        self.refused += [Refused(part, "", LOCK_HOLDS, locked_until=until) for part, until in held.items()]
        return bool(held)

    async def whole(self) -> bool:
        """Delete all parts and leave a tombstone; False when a part had to stay, and the manifest with it.

        The manifest says that the deletion has begun. A point that is `expired` already has no parts any more.
        """
        self._ends_point = True
        await self.files(await self._versions_of_files())
        for snapshot in sorted(await self.ebs.snapshots_of_point(self.point.manifest.id), key=_database_first):
            await self.snapshot(snapshot)
        await self._look_again()
        if self.refused:
            return False
        await self._bury()
        return not self.refused

    async def parts(self, names: Iterable[str], snapshots: Iterable[Snapshot]) -> list[str]:
        """Delete some of the point's snapshots (by id) and files (by key); the names of those that have gone."""
        wanted = set(names)
        files = [version for version in await self._versions_of_files() if version.key in wanted]
        await self.files(files)
        for snapshot in snapshots:
            if snapshot.id in wanted:
                await self.snapshot(snapshot)
        stay = {refused.part for refused in self.refused}
        return sorted(name for name in wanted if name not in stay and f"snapshot {name}" not in stay)

    async def files(self, versions: Iterable[ObjectVersion]) -> None:
        """Delete these versions of objects."""
        documents = self.point.vault.documents
        for version in versions:
            refused = await self._tried(version.key, partial(delete_version, documents, version))
            if refused and not version.marker:
                self.refused[-1] = replace(refused, locked_until=await locked_until(documents, version))

    async def snapshot(self, snapshot: Snapshot) -> None:
        """Delete a snapshot that was just seen to carry the tags of this vault and this point."""
        await self._tried(f"snapshot {snapshot.id}", partial(self.ebs.delete_snapshot, snapshot.id))

    async def _versions_of_files(self) -> list[ObjectVersion]:
        found = await versions_below(self.point.vault.documents, self.point.prefix)
        return [version for version in found if version.key != self._manifest_key]

    @property
    def _manifest_key(self) -> str:
        return self.point.vault.points.key(self.point.manifest.tenant, self.point.manifest.id)

    async def _look_again(self) -> None:
        """Snapshots of the manifest that the look by tags has not shown, because it lagged or somebody took the tags
        away: one without them is not deleted, and its manifest has to stay.
        """
        named = await self.ebs.snapshots(self.point.manifest.parts.snapshot_ids)
        for found in sorted(named.values(), key=_database_first):
            if f"snapshot {found.id}" in self._tried_parts:
                continue
            if self.ebs.is_of_point(found, self.point.manifest.id):
                await self.snapshot(found)
            else:
                said = "it no longer carries the tags of this vault and this recovery point"
                self.refused.append(Refused(f"snapshot {found.id}", "", said))

    async def _bury(self) -> None:
        """Move the tombstone under expired/; interrupted anywhere, the next run finds an expired point and ends it."""
        vault = self.point.vault
        expired = await self.point.change(lambda manifest: tombstone(manifest, self.now))
        self._ends_point = False
        with suppress(ConflictError):  # an interrupted run has written it
            await vault.tombstones.create(expired)
        found = await versions_below(vault.documents, self._manifest_key)
        await self.files(version for version in found if version.key == self._manifest_key)

    async def _tried(self, part: str, deletion: Callable[[], Awaitable[None]]) -> Refused | None:
        """Carry out one deletion, after a look at the lease and at the manifest; a refusal is remembered.

        Raises:
            RefusedError: when the point is under a hold, or being read, since its deletion began.
        """
        await self.point.lease.check()
        if self._ends_point:
            refuse_wanted(await self.point.read_again(), self.now)
        self._tried_parts.add(part)
        try:
            await deletion()
        except UnavailableError as error:
            cause = error.__cause__ or error
            message = cause.response["Error"].get("Message", "") if isinstance(cause, ClientError) else str(cause)
            self.refused.append(Refused(part, error_code(cause), message, transient=is_transient(cause)))
            return self.refused[-1]
        return None


def _database_first(snapshot: Snapshot) -> tuple[bool, str]:
    return snapshot.tags.get(PART_TAG) != SnapshotRole.DATABASE.value, snapshot.id
