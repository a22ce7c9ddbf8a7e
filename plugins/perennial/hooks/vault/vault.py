"""The vault: the only place where Perennial keeps what it must not lose (docs/vault.md).

recovery-points/<tenant>/<id>/manifest.json    one recovery point
recovery-points/<tenant>/<id>/full-01.bak      its backup, written by SQL Server itself
recovery-points/<tenant>/<id>/full-01-01.bak   the same in several files (stripes): -01, -02 and so on
shared-snapshots/<volume>/<id>.json            one snapshot of a volume, and the recovery points that use it
restores/<tenant>/<id>.json                    the record of one restore
expired/<tenant>/<id>.json                     the tombstone of a recovery point that retention has deleted
retention/<tenant>.json                        the plan that was shown to a person, to be approved
retention-policies/<tenant>.json               by which policy retention last acted on the tenant
offboarded/<tenant>.json                       the record that a tenant has left
last-retention.json                            when retention last looked at the whole fleet
leases/<tenant>.json                           who may act on the tenant
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date
from operator import attrgetter

from include.rules.errors import ConflictError, PartError, UnavailableError
from include.rules.points.claim_ids import is_claim_id
from include.rules.points.manifest import Manifest
from include.rules.points.parts import ClaimName
from include.rules.points.shared_snapshots import SharedSnapshot
from include.rules.register.tenants import TENANT_ID
from include.rules.restore.record import RestoreRecord
from include.rules.restore.request import is_restore_id
from include.rules.retention.offboarding import Offboarding
from include.rules.retention.records import AppliedPolicy, ShownPlan
from perennial.hooks.vault.backup_files import BackupFiles, point_prefix
from perennial.hooks.vault.collection import Collection, Document, Versioned
from perennial.hooks.vault.leases import Leases
from perennial.settings import Settings

log = logging.getLogger(__name__)

READS_AT_ONCE = 16
"""Documents that one step reads at the same time."""
CHANGES = 20
"""How often a change without the lease begins anew because somebody else was faster."""


class Vault(BackupFiles, Leases):
    """Reads and writes the documents of the vault; all changes by compare and swap.

    Args:
        settings: Says where the vault is and which connection reaches it.

    Attributes:
        points: The manifests.
        tombstones: What is left of recovery points that have gone.
        shown_plans: Retention's plans that wait for approval.
        applied_policies: By which policy retention last acted on a tenant.
        offboarded: The records of tenants that have left.
        restores: The records of restores.
        shared_snapshots: The snapshots of volumes that several recovery points may use; by volume, not by tenant.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.points = Collection(
            self.documents, Manifest, lambda tenant, name: f"{point_prefix(tenant, name)}manifest.json", "manifest of"
        )
        self.restores = Collection(
            self.documents,
            RestoreRecord,
            lambda tenant, name: f"restores/{tenant}/{name}.json",
            "record of",
            is_id=is_restore_id,
        )
        self.tombstones = Collection(
            self.documents, Manifest, lambda tenant, name: f"expired/{tenant}/{name}.json", "tombstone of"
        )
        self.shown_plans = Collection(
            self.documents, ShownPlan, lambda tenant, _: f"retention/{tenant}.json", "retention plan of"
        )
        self.applied_policies = Collection(
            self.documents, AppliedPolicy, lambda tenant, _: f"retention-policies/{tenant}.json", "applied policy of"
        )
        self.offboarded = Collection(
            self.documents, Offboarding, lambda tenant, _: f"offboarded/{tenant}.json", "offboarding record of"
        )
        self.shared_snapshots = Collection(
            self.documents,
            SharedSnapshot,
            lambda volume, name: f"shared-snapshots/{volume}/{name}.json",
            "shared snapshot",
            owner=attrgetter("volume"),
            is_id=is_claim_id,
        )

    async def point_ids(self, tenant: str, beginning: str = "") -> list[str]:
        """Ids of the tenant's recovery points, oldest slot first within a kind."""
        return await self.points.ids(tenant, beginning)

    async def manifests(self, tenant: str, beginning: str = "") -> list[Manifest]:
        """The manifests of the tenant's recovery points whose id starts with `beginning`, but for unreadable ones."""
        versions, _ = await self._read_all(self.points, tenant, await self.point_ids(tenant, beginning))
        return [version.value for version in versions]

    async def points_and_problems(
        self, tenant: str, point_ids: Iterable[str]
    ) -> tuple[list[Versioned[Manifest]], list[PartError]]:
        """These manifests of the tenant with their ETags, and what is wrong with those that cannot be read."""
        return await self._read_all(self.points, tenant, point_ids)

    async def tenants(self) -> list[str]:
        """Ids of all tenants that have recovery points."""
        return await self.documents.folders("recovery-points/")

    async def offboarded_tenants(self) -> list[str]:
        """Ids of all tenants that are recorded as gone."""
        keys = self.documents.keys("offboarded/")
        named = [(key, key.removeprefix("offboarded/").removesuffix(".json")) async for key in keys]
        return [name for key, name in named if TENANT_ID.fullmatch(name) and key == self.offboarded.key(name, name)]

    async def latest_restores(self, tenant: str, count: int) -> list[RestoreRecord]:
        """The records of the tenant's last restores, oldest first, but for unreadable ones."""
        names = await self.restores.ids(tenant)
        versions, _ = await self._read_all(self.restores, tenant, names[-count:])
        return [version.value for version in versions]

    async def change_point(self, tenant: str, point_id: str, change: Callable[[Manifest], Manifest]) -> Manifest:
        """Apply `change` to a manifest by compare and swap, without the tenant's lease, again when somebody else was
        faster.

        Only for what may stand beside everybody else's changes: who reads the point, and a hold on it.

        Args:
            change: Gets the manifest as it stands and returns what it becomes, or raises.

        Raises:
            PartError: when there is none, or it is another point's.
        """
        return (await self._change(self.points, tenant, point_id, change)).value

    async def change_shared_snapshot(
        self,
        volume: str,
        claim: str,
        change: Callable[[SharedSnapshot], SharedSnapshot],
        read: Versioned[SharedSnapshot] | None = None,
    ) -> Versioned[SharedSnapshot]:
        """Apply `change` to the document of a shared snapshot by compare and swap, again when somebody was faster.

        Args:
            read: The document, where it has just been read: it is not read again before the first try.

        Raises:
            PartError: when there is none, or it is another one's; what `change` raises.
        """
        return await self._change(self.shared_snapshots, volume, claim, change, read)

    async def shared_snapshot(self, volume: str, claim: str) -> Versioned[SharedSnapshot] | None:
        """The document of a shared snapshot; None when there is none.

        Raises:
            PartError: when it cannot be read, or is another one's.
        """
        return await self.shared_snapshots.get_in_place(volume, claim)

    async def shared_snapshot_names(self) -> tuple[list[ClaimName], list[str]]:
        """The names of all shared snapshots, and the keys of what else lies among their documents."""
        names, strays, prefix = list[ClaimName](), list[str](), "shared-snapshots/"
        async for key in self.documents.keys(prefix):
            volume = key.removeprefix(prefix).partition("/")[0]
            claim = self.shared_snapshots.id_of(volume, key)
            if claim:
                names.append(ClaimName(volume, claim))
            else:
                strays.append(key)
        return names, strays

    async def shared_snapshot_ids(self, volume: str, day: date | None = None) -> list[str]:
        """Ids of the volume's shared snapshots in the order of their claims, all or those of one UTC day."""
        return await self.shared_snapshots.ids(volume, f"{day:%Y%m%d}-" if day else "")

    async def _change(
        self,
        collection: Collection[Document],
        owner: str,
        document_id: str,
        change: Callable[[Document], Document],
        read: Versioned[Document] | None = None,
    ) -> Versioned[Document]:
        for attempt in range(CHANGES):
            current = read if read and not attempt else await collection.require(owner, document_id)
            collection.check_place(current.value, owner, document_id)
            with suppress(ConflictError):
                return await collection.replace(change(current.value), current.etag)
            await asyncio.sleep(random.uniform(0.05, 0.1) * attempt)  # noqa: S311 - spreads those that write at once
        raise UnavailableError(
            f"The {collection.name} {document_id} of {owner} changed {CHANGES} times while this run tried to.",
            why="Nothing was changed.",
            todo="Look for runs that start again and again, then try once more.",
        )

    async def _read_all(
        self, collection: Collection[Document], tenant: str, document_ids: Iterable[str]
    ) -> tuple[list[Versioned[Document]], list[PartError]]:
        at_once, problems = asyncio.Semaphore(READS_AT_ONCE), list[PartError]()

        async def read(document_id: str) -> Versioned[Document] | None:
            async with at_once:
                try:
                    return await collection.get_in_place(tenant, document_id)
                except PartError as error:
                    # One damaged document must not stand between a tenant and all its others.
                    log.warning("Left out: %s", error)
                    problems.append(error)
                    return None

        versions = await asyncio.gather(*(read(document_id) for document_id in document_ids))
        return [version for version in versions if version is not None], problems
