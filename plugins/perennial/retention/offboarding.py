"""Records that a tenant has left, and when its data was removed from the servers."""

from __future__ import annotations

from datetime import UTC, datetime

from include.rules.errors import ConfigurationError, PartError, PerennialError
from include.rules.points.manifest import Manifest
from include.rules.retention.offboarding import Offboarding
from perennial.hooks.register import read_register
from perennial.hooks.vault.vault import Vault
from perennial.retention.decisions import DecisionTrigger, day_that_has_come, day_to_come
from perennial.retention.tenant_volumes import volumes_of_tenant
from perennial.steps.trigger import StepResult


class OffboardTenantTrigger(DecisionTrigger):
    """Records that a tenant has left, and until when its last recovery point is kept.

    Fields:
        final_until: The last day (UTC); may be empty where an earlier record has one.
        data_removed_on: The day (UTC) on which its folder and its database were removed; empty while they are there.
    """

    tenant: str
    final_until: str
    data_removed_on: str = ""

    async def work(self) -> StepResult:
        vault, tenant = self.vault, self.tenant.strip()
        manifests = await vault.manifests(tenant) if tenant else []
        newest = max(manifests, key=_moment, default=None)
        before = await self._earlier_record(vault, tenant) if tenant else None
        retention = newest.source.plan.retention if newest else before.retention if before else None
        if retention is None:
            raise ConfigurationError(
                f"The vault has no recovery points of a tenant {tenant!r}.",
                why="There is nothing to keep or to delete; nothing was recorded.",
                todo="Check the spelling.",
            )
        now, removed, final = datetime.now(UTC), self.data_removed_on.strip(), self.final_until.strip()
        record = Offboarding(
            tenant=tenant,
            left_at=now,
            final_until=before.final_until if before and not final else day_to_come(final, now),
            author=self.decided_by,
            retention=retention,
            data_removed_on=day_that_has_come(removed, now) if removed else None,
        )
        if before:
            record = record.going_on_from(before, _moment(newest) if newest else None)
        record = record.on_volumes(await self._volumes(vault, tenant))
        await vault.offboarded.put(record)
        return record.model_dump(mode="json")

    async def _earlier_record(self, vault: Vault, tenant: str) -> Offboarding | None:
        try:
            version = await vault.offboarded.get_in_place(tenant, tenant)
        except PartError as error:
            self.log.warning("It is replaced: %s", error)
            return None
        return version.value if version else None

    async def _volumes(self, vault: Vault, tenant: str) -> set[str]:
        """All on which the tenant has ever been; none while not all can be known: the fleet's run looks again then."""
        volumes, unread = await volumes_of_tenant(vault, tenant)
        if unread:
            return set()
        try:
            entry = (await read_register(vault.settings)).tenants.get(tenant)
        except PerennialError:  # as a rule the tenant has been taken out of it before
            entry = None
        return {*volumes, entry.web.volume, entry.database.volume} if entry else volumes


def _moment(manifest: Manifest) -> datetime:
    return manifest.time or manifest.opened_at
