"""The records of a tenant's restores, read as far back as they bear on whether it is half restored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter

from include.rules.errors import PartError
from include.rules.restore.half_restored import is_settled
from include.rules.restore.record import RestoreRecord
from perennial.hooks.asynchronous import in_order
from perennial.hooks.aws.errors import AwsRejectedError
from perennial.hooks.aws.listings import ListedObject
from perennial.hooks.vault.vault import READS_AT_ONCE, Vault


@dataclass(frozen=True)
class RestoresRead:
    """Records of a tenant's restores.

    Attributes:
        records: Those that could be read.
        unread: Why each of the others could not be read, by the restore's id: nobody knows what it has left.
        strays: Keys of what lies among the records and can be none, whatever is in it.
    """

    records: tuple[RestoreRecord, ...]
    unread: Mapping[str, PartError]
    strays: tuple[str, ...] = ()


async def read_restores(vault: Vault, tenant: str) -> RestoresRead:
    """Those that were written since the last restore of the tenant that has ended whole, or all where none has.

    The latest written comes first, whatever the names say: a restore may be carried out long after it was planned. Of
    previews, which change nothing, there may be any number.

    Raises:
        UnavailableError: when the vault does not answer.
    """
    prefix = f"restores/{tenant}/"
    records, unread = list[RestoreRecord](), dict[ListedObject, PartError]()

    def restore_id(item: ListedObject) -> str:
        return item.key.removeprefix(prefix).removesuffix(".json")

    def may_be_record(item: ListedObject) -> bool:
        return item.key.endswith(".json") and "/" not in restore_id(item)

    found = sorted([item async for item in vault.documents.listed(prefix)], key=attrgetter("written_at"), reverse=True)
    listed = [item for item in found if may_be_record(item)]

    async def read(item: ListedObject) -> RestoreRecord | None:
        try:
            version = await vault.restores.get_in_place(tenant, restore_id(item))
        except (PartError, AwsRejectedError) as error:
            unread[item] = _unread_error(tenant, item.key, error)
            return None
        return version.value if version else None

    for start in range(0, len(listed), READS_AT_ONCE):
        page = listed[start : start + READS_AT_ONCE]
        if is_settled(records, page[0].written_at):
            break
        async for _, record in in_order(page, read, at_once=READS_AT_ONCE):
            if record:
                records.append(record)
    bearing = {restore_id(it): error for it, error in unread.items() if not is_settled(records, it.written_at)}
    return RestoresRead(tuple(records), bearing, tuple(item.key for item in found if not may_be_record(item)))


def _unread_error(tenant: str, key: str, error: PartError | AwsRejectedError) -> PartError:
    return PartError(
        f"Tenant {tenant} may be half restored: the record of a restore cannot be read. {error.what}",
        why="Any recovery point may be the one that mends it, so all that there are stay; new ones are marked as half "
        "restored.",
        todo=f"If a newer release has written {key}, run that one. Else bring back an earlier version of it; once the "
        "tenant is known to be whole, it may be moved out of the vault.",
    )
