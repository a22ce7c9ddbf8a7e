"""What a run of retention sees of snapshots: all of the vault's at once for a fleet, or one tenant's."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from sys import intern
from typing import Any

from include.rules.errors import PartError, UnavailableError
from include.rules.points.left_over import volumes_of
from include.rules.points.manifest import Manifest
from include.rules.points.parts import ClaimName, SnapshotRole
from include.rules.retention.shared import SharedEntry
from include.rules.retention.wanted import WantedSnapshots
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.ebs_items import CLAIM_TAG, POINT_TAG, TENANT_TAG, Snapshot
from perennial.hooks.vault.vault import READS_AT_ONCE, Vault


def _lists_by_two_keys() -> Any:
    return defaultdict(lambda: defaultdict(list))


@dataclass
class SnapshotListing:
    """Snapshots, and the documents of the shared ones, as they were at one moment.

    Attributes:
        own: By tenant and recovery point, ids of the snapshots that belong to that point alone, the oldest first.
        claimed: By the volume that they show and the tag's value of a claim, ids of the snapshots that carry it: a copy
            has the tags of its original, and shows another volume.
        ids: Ids of all snapshots that were seen.
        entries: The shared snapshots.
        users: By tenant and recovery point, the shared snapshots that it uses.
        unread: Why a shared snapshot's document could not be read; whatever it may name stays.
        strays: Keys of what lies among all documents and by its name can be none.
    """

    own: dict[str, dict[str, list[str]]] = field(default_factory=_lists_by_two_keys)
    claimed: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))
    ids: set[str] = field(default_factory=set)
    entries: dict[ClaimName, SharedEntry] = field(default_factory=dict)
    users: dict[str, dict[str, list[SharedEntry]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    unread: dict[ClaimName, PartError | UnavailableError] = field(default_factory=dict)
    strays: list[str] = field(default_factory=list)
    _same: dict[frozenset[str], frozenset[str]] = field(default_factory=dict)  # a volume's snapshots show one set

    @property
    def tenants(self) -> set[str]:
        """Ids of the tenants that have something here."""
        return {*self.own, *self.users}

    def add_snapshot(self, snapshot: Snapshot) -> None:
        """Take note of a snapshot that carries the tag of this vault."""
        self.ids.add(snapshot.id)
        claim = snapshot.tags.get(CLAIM_TAG)
        if claim is not None:
            self.claimed[intern(snapshot.volume_id), claim].append(snapshot.id)
        elif TENANT_TAG in snapshot.tags:
            of_tenant = self.own[intern(snapshot.tags[TENANT_TAG])]
            of_tenant[intern(snapshot.tags.get(POINT_TAG, ""))].append(snapshot.id)

    def add_entry(self, entry: SharedEntry) -> None:
        """Take note of a shared snapshot."""
        entry = replace(entry, tenants=self._same.setdefault(entry.tenants, entry.tenants))
        self.entries[entry.name] = entry
        for tenant, point in entry.users:
            self.users[tenant][point].append(entry)


class SharedLooks:
    """The looks of one run of retention.

    Attributes:
        emptied: Shared snapshots whose last user has left them in the course of the run.
        wanted: What the points need that were looked at: whatever the lists say, the run deletes none of it.
        buried: By tenant and recovery point id, lists on which points are that were deleted.
        latest: What was seen last.
    """

    def __init__(self, vault: Vault) -> None:
        self.vault = vault
        self.emptied, self.wanted = set[ClaimName](), WantedSnapshots()
        self.buried = dict[str, Mapping[str, list[ClaimName]]]()
        self.latest = SnapshotListing()
        self._sees_all = False

    async def look_at_every_snapshot(self) -> None:
        """Look at the snapshots of the whole vault, once for all tenants.

        Before the documents: whatever was asked for by then has a document already.
        """
        self.latest, self._sees_all = SnapshotListing(), True
        async for snapshot in Ebs.of(self.vault.settings).every_snapshot():
            self.latest.add_snapshot(snapshot)

    async def look_at_every_document(self) -> None:
        """Look at the documents of all shared snapshots, after the snapshots themselves."""
        names, self.latest.strays = await self.vault.shared_snapshot_names()
        await self._read(self.latest, names)

    def found_buried(self, tenant: str, lists: Mapping[str, list[ClaimName]]) -> None:
        """Take note of the tenant's points that were deleted and are on lists, if there are any."""
        self.buried.pop(tenant, None)
        if lists:
            self.buried[tenant] = lists

    async def look_at(self, tenant: str, manifests: Iterable[Manifest]) -> SnapshotListing:
        """What there is of one tenant, that of the volumes that its manifests name; or of all, where all was seen."""
        if self._sees_all:
            return self.latest
        points, ebs, listing = list(manifests), Ebs.of(self.vault.settings), SnapshotListing()
        parts = [part for manifest in points for role in SnapshotRole if (part := manifest.snapshot(role))]
        for snapshot in await ebs.snapshots_of_tenant(tenant):
            listing.add_snapshot(snapshot)
        listing.ids |= set(await ebs.snapshots({part.snapshot_id for part in parts if part.claim}))
        volumes = {volume for manifest in points for volume in volumes_of(manifest)}
        for volume in sorted(volumes):
            await self._read(listing, [(volume, name) for name in await self.vault.shared_snapshot_ids(volume)])
        self.latest = listing
        return listing

    async def _read(self, listing: SnapshotListing, names: Iterable[tuple[str, str]]) -> None:
        """Read these documents, some at a time, and keep of each what retention needs: they are large.

        One that cannot be read stops no other, whatever the reason: where the vault itself does not answer, whoever
        asks it next is told.
        """
        pending = iter(list(names))

        async def read() -> None:
            for volume, claim in pending:
                try:
                    version = await self.vault.shared_snapshot(volume, claim)
                except (PartError, UnavailableError) as error:
                    listing.unread[ClaimName(volume, claim)] = error
                    continue
                if version:
                    listing.add_entry(SharedEntry.of(version.value))

        await asyncio.gather(*(read() for _ in range(READS_AT_ONCE)))
