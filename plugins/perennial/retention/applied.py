"""By which policy retention last acted on a tenant: one small document of the vault for each, written after the act."""

from __future__ import annotations

import logging

from include.rules.errors import ConflictError, PartError
from include.rules.retention.records import AppliedPolicy
from perennial.hooks.vault.collection import Versioned
from perennial.hooks.vault.tenant_lease import TenantLease
from perennial.hooks.vault.vault import Vault

log = logging.getLogger(__name__)


async def read_applied(vault: Vault, tenant: str) -> Versioned[AppliedPolicy] | None:
    """The record of a tenant; None before retention has acted on it for the first time.

    Raises:
        PartError: when it cannot be read: without it nobody knows whether the policy has changed.
    """
    key = vault.applied_policies.key(tenant, tenant)
    try:
        version = await vault.applied_policies.get(tenant, tenant)
    except PartError as error:
        raise _unreadable_error(tenant, key, str(error)) from error
    if version and version.value.tenant != tenant:
        raise _unreadable_error(tenant, key, f"It says that it is tenant {version.value.tenant}'s.")
    return version


async def record_applied(lease: TenantLease, before: Versioned[AppliedPolicy] | None, record: AppliedPolicy) -> None:
    """Retention has acted on the lease's tenant, unstopped or approved.

    Args:
        before: The record as it was read under this lease.
    """
    collection = lease.vault.applied_policies
    await lease.check()
    try:
        await (collection.replace(record, before.etag) if before else collection.create(record))
    except ConflictError:
        # Whoever was faster has the word: were it not the truth, the next run would ask once too often.
        log.warning("Another run has recorded the policy of tenant %s meanwhile: its record stands.", lease.tenant)


def _unreadable_error(tenant: str, key: str, reason: str) -> PartError:
    return PartError(
        f"Retention stopped for tenant {tenant}: the record of the policy by which it was last acted on cannot be "
        f"read. {reason}",
        why="Without it nobody can tell what a changed policy would take; nothing of the tenant was expired or "
        "deleted.",
        todo=f"If a newer release has written it, run that one. Else correct {key} in the vault, or delete it: then "
        "the limits of a tenant without a record hold (docs/retention.md).",
    )
