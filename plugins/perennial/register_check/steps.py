"""The step that looks at the register's entries, one tenant's or all, and shows what it has found."""

from __future__ import annotations

import asyncio
from itertools import product

from include.rules.errors import UnavailableError
from include.rules.register.findings import Finding, Weight, findings_table, nothing_looked_at, of_weight
from include.rules.register.register import Register
from include.rules.register.tenants import Tenant
from perennial.hooks.register import read_register
from perennial.register_check.checks import CHECKS, Check
from perennial.steps.trigger import StepResult, StepTrigger

CONCURRENT_LOOKS = 16
ENTRY = "entry"
"""Under this name the table shows what is wrong with an entry itself."""


class CheckRegisterTrigger(StepTrigger):
    """Lets every check look at one tenant, or at all; a table of findings is its log and its result. It fails for no
    finding, but where no check could look at anything of any tenant.

    Fields:
        tenant: Its id; empty for all.
    """

    tenant: str

    async def work(self) -> StepResult:
        register = await read_register(self.settings)
        tenants = [register.tenant(asked)] if (asked := self.tenant.strip()) else list(register.tenants.values())
        looks = await self._look_at(tenants)
        findings = {**({} if asked else _of_entries(register)), **looks}
        table = findings_table(findings)
        self.log.info("%s", table)
        if blind := nothing_looked_at(looks):
            raise UnavailableError(
                f"Nothing of {len(tenants)} tenants could be looked at. The first: {blind}.",
                why="Nobody knows whether the register says what is there.",
                todo="See that AWS, the hosts and the servers answer (the table in the log says what to do of each), "
                "then start `check_register` again.",
            )
        return {
            "tenants": len(tenants),
            **{str(weight): sum(len(of_weight(weight, found)) for found in findings.values()) for weight in Weight},
            "findings": table,
        }

    async def _look_at(self, tenants: list[Tenant]) -> dict[tuple[str, str], tuple[Finding, ...]]:
        gate = asyncio.Semaphore(CONCURRENT_LOOKS)

        async def look(tenant: Tenant, check: Check) -> tuple[Finding, ...]:
            async with gate:
                return await check.findings(tenant, self.settings)

        pairs = list(product(tenants, CHECKS))
        found = await asyncio.gather(*(look(tenant, check) for tenant, check in pairs))
        return {(tenant.id, check.name): one for (tenant, check), one in zip(pairs, found, strict=True)}


def _of_entries(register: Register) -> dict[tuple[str, str], tuple[Finding, ...]]:
    """What cannot be used at all: nothing else of such an entry can be looked at."""
    todo = "Correct the entry; until then the tenant is not backed up."
    return {
        (problem.entry.removeprefix("tenant "), f"{ENTRY} {number}"): (
            Finding(Weight.DIFFERENCE, f"{problem.source}: {problem.message}", todo=todo),
        )
        for number, problem in enumerate(register.problems, start=1)
    }
