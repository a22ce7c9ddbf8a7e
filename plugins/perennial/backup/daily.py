"""Steps that look at the whole fleet: what the register refuses, and what the day still lacks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import date

from include.rules.backup.due import daily_point_id, tenants_due_daily, without_verified_point
from include.rules.errors import ConfigurationError, PartError, PerennialError, UnavailableError
from include.rules.points.manifest import Manifest
from include.rules.points.requests import parse_moment
from include.rules.register.register import Register
from perennial.hooks.register import read_register
from perennial.hooks.vault.vault import Vault
from perennial.steps.trigger import StepResult, StepTrigger

log = logging.getLogger(__name__)

CONCURRENT_READS = 32


async def find_unfinished(vault: Vault, register: Register, day: date) -> dict[str, str]:
    """Tenants due on `day` (UTC) without a verified daily recovery point, each with what is known of it.

    A manifest that cannot be read says nothing of the other tenants: its own counts as unfinished.

    Raises:
        UnavailableError: when the vault answers for no tenant: that is its own trouble, and none of theirs.
    """
    gate, failures = asyncio.Semaphore(CONCURRENT_READS), dict[str, PerennialError]()

    async def read(tenant: str) -> Manifest | None:
        async with gate:
            try:
                version = await vault.points.get(tenant, daily_point_id(tenant, day))
            except PerennialError as error:
                failures[tenant] = error
                return None
            return version.value if version else None

    tenants = tenants_due_daily(register)
    manifests = await asyncio.gather(*(read(tenant) for tenant in tenants))
    for failure in failures.values():
        if len(failures) == len(tenants) and isinstance(failure, UnavailableError):
            raise failure
        log.warning("%s", failure)
    by_id = {daily_point_id(tenant, day): version for tenant, version in zip(tenants, manifests, strict=True)}
    return without_verified_point(register, day, by_id)


class ReportRegisterProblemsTrigger(StepTrigger):
    """Fails when entries of the register could not be used, and names each of them."""

    async def work(self) -> StepResult:
        register = await read_register(self.settings)
        if register.problems:
            raise ConfigurationError(
                f"{len(register.problems)} entries of the register cannot be used: {_sentences(register.problems)}",
                why="These tenants are not backed up; all the others are.",
                todo="Correct the entries; `confirm_daily_backups` queues the tenants that are missing.",
            )
        return {"tenants": len(register.tenants), "problems": 0}


class ConfirmDailyBackupsTrigger(StepTrigger):
    """Waits until every tenant due has its verified daily recovery point; fails by name when one has not.

    Fields:
        moment: Any moment of the day in question (UTC).
        wait_minutes: How long to wait for the points that are still being made.
    """

    moment: str
    wait_minutes: str

    async def work(self) -> StepResult:
        register, day = await read_register(self.settings), parse_moment(self.moment).date()
        loop = asyncio.get_running_loop()
        end = loop.time() + float(self.wait_minutes) * 60
        while reasons := await find_unfinished(self.vault, register, day):
            if loop.time() >= end:
                raise PartError(
                    f"{len(reasons)} tenants have no verified recovery point of {day}: "
                    f"{_sentences(f'{tenant} ({reason})' for tenant, reason in reasons.items())}",
                    why="Their newest recovery point is older than it should be.",
                    todo="Look at their runs of `tenant_backup`; mend the cause, then take a manual backup.",
                )
            self.log.info("Waiting for %d tenants: %s.", len(reasons), ", ".join(reasons))
            await asyncio.sleep(min(60.0, self.settings.poll.total_seconds() * 4))
        return {"day": day.isoformat(), "tenants": len(tenants_due_daily(register)), "missing": 0}


def _sentences(items: Iterable[object]) -> str:
    return "; ".join(str(item) for item in items) + "."
