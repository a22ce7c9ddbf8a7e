"""Deletes what belongs to one recovery point, each part by itself: what AWS refuses stops no other part.

Only what carries our tags, or lies beside the manifest, is ever deleted. Every deletion looks at the lease first, and
every one of a whole point at its manifest as well: a hold that is placed in its midst spares what is left. Of a shared
snapshot the point only leaves the list: other tenants' points may be on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial

from include.rules.errors import ConflictError, UnavailableError
from include.rules.points.left_over import volumes_of
from include.rules.points.parts import ClaimName, SnapshotRole
from include.rules.retention.expiry import refuse_wanted, tombstone
from include.rules.retention.shared import place_of
from include.rules.retention.undeleted import LOCK_HOLDS, UndeletedPart
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.ebs_items import PART_TAG, Snapshot
from perennial.hooks.vault.leased import LeasedPoint
from perennial.hooks.vault.object_versions import ObjectVersion, delete_version, lock_on, versions_below
from perennial.retention.leaving import leave
from perennial.retention.troubles import undeleted_part


class Deletion:
    """The deletion of one recovery point, or of some of its parts.

    Args:
        point: The point, under the tenant's lease.
        now: The moment of acting, in UTC.
        lists: Shared snapshots that the point uses, by its manifest or by their own documents.
        listed: Ids of the snapshots that were seen with the point's tag: they belong to it alone.

    Attributes:
        undeleted: What AWS has refused to delete so far.
        emptied: Shared snapshots that nobody uses any more, now that the point has left them.
    """

    def __init__(
        self, point: LeasedPoint, now: datetime, lists: Iterable[ClaimName] = (), listed: Iterable[str] = ()
    ) -> None:
        self.point, self.now = point, now
        self._lists, self._has_own = tuple(lists), bool([*listed, *point.manifest.parts.own_snapshot_ids])
        self.emptied = list[ClaimName]()
        self.ebs = Ebs.of(point.vault.settings)
        self.undeleted: list[UndeletedPart] = []
        self._ends_point = False
        self._tried_parts = set[str]()

    async def find_locks(self) -> bool:
        """Look for locks before the first part goes: were one locked, the others would be lost, and it alone no use.

        What is locked is added to `undeleted`. Of a shared snapshot only the point's own lock counts: another's keeps
        the bytes, and keeps nobody from leaving.

        Returns:
            True when a lock holds any part.

        Raises:
            UnavailableError: when nobody says whether a part is locked.
        """
        documents, files = self.point.vault.documents, await self._versions_of_files()
        bytes_of = [version for version in files if not version.marker]
        object_locks = await asyncio.gather(*(lock_on(documents, version) for version in bytes_of))
        self.undeleted += [
            UndeletedPart(version.key, "", LOCK_HOLDS, lock.until, legal_hold=lock.legal_hold)
            for version, lock in zip(bytes_of, object_locks, strict=True)
            if lock
        ]
        locks = await self.ebs.locked_snapshots(snapshot.id for snapshot in await self._own_snapshots())
        locked: dict[str, datetime | None] = {f"snapshot {name}": until for name, until in locks.items()}
        locked |= await self._locks_of_lists()
        self.undeleted += [UndeletedPart(part, "", LOCK_HOLDS, locked_until=until) for part, until in locked.items()]
        return bool(self.undeleted)

    async def delete_all(self) -> bool:
        """Delete all parts and leave a tombstone; False when a part had to stay, and the manifest with it.

        The manifest says that the deletion has begun. A point that is `expired` already has no parts any more.
        """
        self._ends_point = True
        await self._delete_files(await self._versions_of_files())
        for name in self._lists:
            await self._leave(name)
        for snapshot in sorted(await self._own_snapshots(), key=_database_first):
            await self._delete_snapshot(snapshot)
        await self._look_again()
        if self.undeleted:
            return False
        await self._bury()
        return not self.undeleted

    async def delete_parts(self, names: Iterable[str]) -> list[str]:
        """Delete some of the point's own snapshots (by id) and files (by key); the names of those that have gone."""
        names = set(names)
        await self._delete_files(version for version in await self._versions_of_files() if version.key in names)
        for snapshot in await self._tagged_snapshots():
            if snapshot.id in names and self._is_own(snapshot):
                await self._delete_snapshot(snapshot)
            elif snapshot.id in names:
                what = f"it shows volume {snapshot.volume_id}, which is none of the point's"
                self.undeleted.append(UndeletedPart(f"snapshot {snapshot.id}", "", what))
        stay = {part.part for part in self.undeleted}
        return sorted(name for name in names if name not in stay and f"snapshot {name}" not in stay)

    async def leave_lists(self) -> list[str]:
        """Leave the lists, and nothing else: what was left, in words."""
        for name in self._lists:
            await self._leave(name)
        return [place_of(self.point.manifest.id, name) for name in self._lists]

    async def _leave(self, name: ClaimName) -> None:
        """Take the point off a list, unless somebody wants it.

        Raises:
            RefusedError: when the point is under a hold, or being read, since its deletion began.
        """
        if self._ends_point:
            refuse_wanted(await self.point.read_again(), self.now)
        if await leave(self.point.lease, self.point.manifest.id, name):
            self.emptied.append(name)

    async def _locks_of_lists(self) -> dict[str, datetime | None]:
        """Until when the point itself has locked its shared snapshots, also where its manifest does not say so."""
        manifest, locks = self.point.manifest, dict[str, datetime | None]()
        for name in self._lists:
            version = await self.point.vault.shared_snapshot(*name)
            user = version.value.user(manifest.tenant, manifest.id) if version else None
            if version and user and user.locked_until and user.locked_until > version.seen_at:
                locks[f"snapshot {version.value.snapshot_id}"] = user.locked_until
        return locks

    async def _own_snapshots(self) -> list[Snapshot]:
        """The point's snapshots; copies of them, which have the same tags, are reported once the point has gone."""
        return [snapshot for snapshot in await self._tagged_snapshots() if self._is_own(snapshot)]

    async def _tagged_snapshots(self) -> list[Snapshot]:
        """The snapshots that carry the point's tags; AWS is not asked where nobody has ever seen one."""
        return await self.ebs.snapshots_of_point(self.point.manifest.id) if self._has_own else []

    def _is_own(self, snapshot: Snapshot) -> bool:
        return snapshot.volume_id in volumes_of(self.point.manifest)

    async def _delete_files(self, versions: Iterable[ObjectVersion]) -> None:
        """Delete these versions of objects; where one stays, so do those of its key that come after it.

        The latest is the last: a manifest that says that its point has gone hides those that say it is verified, until
        none of them is left.
        """
        documents, refused = self.point.vault.documents, set[str]()
        for version in versions:
            if version.key in refused:
                continue
            undeleted = await self._try(version.key, partial(delete_version, documents, version))
            if undeleted:
                refused.add(version.key)
            if undeleted and not version.marker:
                with suppress(UnavailableError):  # then what it has said when it refused is all that is known
                    if lock := await lock_on(documents, version):
                        self.undeleted[-1] = replace(undeleted, locked_until=lock.until, legal_hold=lock.legal_hold)

    async def _delete_snapshot(self, snapshot: Snapshot) -> None:
        """Delete a snapshot that was just seen to carry the tags of this vault and this point."""
        await self._try(f"snapshot {snapshot.id}", partial(self.ebs.delete_snapshot, snapshot.id))

    async def _versions_of_files(self) -> list[ObjectVersion]:
        versions = await versions_below(self.point.vault.documents, self.point.prefix)
        return [version for version in versions if version.key != self._manifest_key]

    @property
    def _manifest_key(self) -> str:
        return self.point.vault.points.key(self.point.manifest.tenant, self.point.manifest.id)

    async def _look_again(self) -> None:
        """Snapshots of the manifest that the look by tags has not shown, because it lagged or somebody took the tags
        away: one without them is not deleted, and its manifest has to stay.
        """
        named = await self.ebs.snapshots(self.point.manifest.parts.own_snapshot_ids)
        for snapshot in sorted(named.values(), key=_database_first):
            if f"snapshot {snapshot.id}" in self._tried_parts:
                continue
            if self.ebs.is_of_point(snapshot, self.point.manifest.id):
                await self._delete_snapshot(snapshot)
            else:
                message = "it no longer carries the tags of this vault and this recovery point"
                self.undeleted.append(UndeletedPart(f"snapshot {snapshot.id}", "", message))

    async def _bury(self) -> None:
        """Move the tombstone under expired/; interrupted anywhere, the next run finds an expired point and ends it."""
        vault = self.point.vault
        expired = await self.point.change(lambda manifest: tombstone(manifest, self.now))
        self._ends_point = False
        with suppress(ConflictError):  # an interrupted run has written it
            await vault.tombstones.create(expired)
        versions = await versions_below(vault.documents, self._manifest_key)
        await self._delete_files(version for version in versions if version.key == self._manifest_key)

    async def _try(self, part: str, deletion: Callable[[], Awaitable[None]]) -> UndeletedPart | None:
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
            self.undeleted.append(undeleted_part(part, error))
            return self.undeleted[-1]
        return None


def _database_first(snapshot: Snapshot) -> tuple[bool, str]:
    return snapshot.tags.get(PART_TAG) != SnapshotRole.DATABASE.value, snapshot.id
