"""Lists what a vault holds, for whoever has to choose a recovery point; needs no register and no history of Airflow."""

from __future__ import annotations

from include.rules.errors import ConfigurationError, PartError
from include.rules.points.listing import table
from include.rules.points.manifest import Manifest
from include.rules.register.tenants import TENANT_ID
from perennial.hooks.asynchronous import in_order
from perennial.steps.trigger import StepResult, StepTrigger

TENANTS_AT_ONCE = 8


class ListRecoveryPointsTrigger(StepTrigger):
    """Writes the recovery points of one tenant, or of all, into the log, and their ids into the task's XCom; and which
    manifests could not be read. Fails when that is all there are.
    """

    tenant: str

    async def work(self) -> StepResult:
        tenant, vault = self.tenant.strip(), self.vault
        if tenant and not TENANT_ID.fullmatch(tenant):
            raise ConfigurationError(
                f"{tenant!r} is not a tenant id.", why="Nothing was listed.", todo="Leave it empty to list all tenants."
            )
        names = [tenant] if tenant else await vault.tenants()
        points_of, not_read = dict[str, list[str]](), list[str]()

        async def read(name: str) -> tuple[list[Manifest], list[PartError]]:
            versions, problems = await vault.points_and_problems(name, await vault.point_ids(name))
            return [version.value for version in versions], problems

        async for name, (manifests, problems) in in_order(names, read, at_once=TENANTS_AT_ONCE):
            unread = "".join(f"\nNOT READ: {problem}" for problem in problems)
            self.log.info("Tenant %s, %d recovery points:\n%s%s", name, len(manifests), table(manifests), unread)
            points_of[name] = [f"{manifest.id} ({manifest.state})" for manifest in manifests]
            not_read += map(str, problems)
        if not_read and not any(points_of.values()):
            raise PartError(
                f"None of {len(not_read)} manifests could be read, so that no recovery point is listed. The first: "
                f"{not_read[0]}",
                why="There may be recovery points all the same.",
                todo="The log of this task has what is wrong with each of them.",
            )
        return {"vault": vault.settings.vault, "recovery_points": points_of, "not_read": not_read}
