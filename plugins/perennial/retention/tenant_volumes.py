"""On which volumes a tenant has ever been: its recovery points tell, those that have gone by their tombstones."""

from __future__ import annotations

from collections.abc import Iterable

from include.rules.errors import PartError
from include.rules.points.left_over import volumes_of
from include.rules.points.manifest import Manifest
from perennial.hooks.asynchronous import in_order
from perennial.hooks.aws.errors import AwsRejectedError
from perennial.hooks.vault.collection import Collection
from perennial.hooks.vault.vault import READS_AT_ONCE, Vault


async def volumes_of_tenant(vault: Vault, tenant: str) -> tuple[set[str], list[PartError | AwsRejectedError]]:
    """The volumes, and why documents could not be read that may name more.

    Raises:
        UnavailableError: when the vault does not answer.
    """
    volumes, unread = set[str](), list[PartError | AwsRejectedError]()

    async def look(collection: Collection[Manifest], point_ids: Iterable[str]) -> None:
        async def read(point_id: str) -> None:
            try:
                version = await collection.get_in_place(tenant, point_id)
            except (PartError, AwsRejectedError) as error:
                unread.append(error)
            else:
                volumes.update(volumes_of(version.value) if version else ())

        async for _ in in_order(point_ids, read, at_once=READS_AT_ONCE):
            pass

    await look(vault.points, await vault.point_ids(tenant))
    await look(vault.tombstones, await vault.tombstones.ids(tenant))  # afterwards: a point may go meanwhile
    return volumes, unread
