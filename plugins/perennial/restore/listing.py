"""Lists what a vault holds, for whoever has to choose a recovery point; needs no register and no history of Airflow."""

from __future__ import annotations

from include.rules.errors import ConfigurationError
from include.rules.points.listing import table
from include.rules.register.tenants import TENANT_ID
from perennial.hooks.asynchronous import in_order
from perennial.steps.trigger import StepResult, StepTrigger

TENANTS_AT_ONCE = 8


class ListRecoveryPointsTrigger(StepTrigger):
    """Writes the recovery points of one tenant, or of all, into the log, and their ids into the task's XCom."""

    tenant: str

    async def work(self) -> StepResult:
        tenant, vault = self.tenant.strip(), self.vault
        if tenant and not TENANT_ID.fullmatch(tenant):
            raise ConfigurationError(
                f"{tenant!r} is not a tenant id.", why="Nothing was listed.", todo="Leave it empty to list all tenants."
            )
        points_of, names = {}, [tenant] if tenant else await vault.tenants()
        async for name, manifests in in_order(names, vault.manifests, at_once=TENANTS_AT_ONCE):
            self.log.info("Tenant %s, %d recovery points:\n%s", name, len(manifests), table(manifests))
            points_of[name] = [f"{manifest.id} ({manifest.state})" for manifest in manifests]
        return {"vault": vault.settings.vault, "recovery_points": points_of}
