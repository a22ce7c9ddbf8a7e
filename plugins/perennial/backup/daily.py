"""Steps that look at the whole fleet: what the register refuses, and what the day still lacks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from datetime import date

from include.rules.backup.due import daily_point_id, still_due, tenants_due_daily, why_unfinished
from include.rules.errors import ConfigurationError, PartError, PerennialError, UnavailableError
from include.rules.points.requests import parse_moment
from include.rules.register.register import Register
from perennial.hooks.asynchronous import in_order
from perennial.hooks.register import read_register
from perennial.hooks.vault.vault import Vault
from perennial.steps.trigger import StepResult, StepTrigger

log = logging.getLogger(__name__)

CONCURRENT_READS = 32


async def find_unfinished(vault: Vault, tenants: Iterable[str], day: date) -> dict[str, str]:
    """Those of the tenants that have no verified daily recovery point of `day` (UTC), each with what is known of it.

    A manifest that cannot be read says nothing of the other tenants: its own counts as unfinished. None is kept: a
    thousand of them are a hundred thousand objects.

    Raises:
        UnavailableError: when the vault answers for no tenant: that is its own trouble, and none of theirs.
    """
    asked, unfinished, failures = 0, dict[str, str](), list[PerennialError]()

    async def look(tenant: str) -> str:
        try:
            version = await vault.points.get(tenant, daily_point_id(tenant, day))
        except PerennialError as error:
            failures.append(error)
            return why_unfinished(None)
        return why_unfinished(version.value if version else None)

    async for tenant, reason in in_order(tenants, look, at_once=CONCURRENT_READS):
        asked += 1
        if reason:
            unfinished[tenant] = reason
    for failure in failures:
        if len(failures) == asked and isinstance(failure, UnavailableError):
            raise failure
        log.warning("%s", failure)
    return unfinished


class ReportRegisterProblemsTrigger(StepTrigger):
    """Fails when entries of the register could not be used, and names each of them."""

    async def work(self) -> StepResult:
        register = await read_register(self.settings)
        if register.problems:
            raise _unusable_error(register)
        return {"tenants": len(register.tenants), "problems": 0}


class ConfirmDailyBackupsTrigger(StepTrigger):
    """Waits until every tenant due has its verified daily recovery point; fails by name when one has not.

    Each look asks only for those that had none at the look before and are still due: a tenant that is suspended or
    taken out of the register meanwhile is waited for no longer, and one that is added was not due this morning.

    Fields:
        moment: Any moment of the day in question (UTC).
        wait_minutes: How long to wait for the points that are still being made.
    """

    moment: str
    wait_minutes: str
    _unanswered = ""

    async def work(self) -> StepResult:
        register, day = await read_register(self.settings), parse_moment(self.moment).date()
        due = tenants_due_daily(register)
        if not due and register.problems:  # nobody is due because nobody's entry can be used
            raise _unusable_error(register)
        end = asyncio.get_running_loop().time() + float(self.wait_minutes) * 60
        reasons, told = await find_unfinished(self.vault, due, day), set[str]()
        while reasons:
            if asyncio.get_running_loop().time() >= end:
                raise PartError(
                    f"{len(reasons)} tenants have no verified recovery point of {day}: "
                    f"{_sentences(f'{tenant} ({reason})' for tenant, reason in reasons.items())}",
                    why=f"Their newest recovery point is older than it should be.{self._unanswered}",
                    todo="Look at their runs of `tenant_backup`; mend the cause, then take a manual backup.",
                )
            if told != reasons.keys():
                told = set(reasons)
                self.log.info("Waiting for %d tenants: %s.", len(reasons), ", ".join(reasons))
            await asyncio.sleep(min(60.0, self.settings.poll.total_seconds() * 4))
            register = await self._register_now(register)
            reasons = await self._look_again(register, reasons, day)
        return {"day": day.isoformat(), "tenants": len(still_due(register, due)), "missing": 0}

    async def _look_again(self, register: Register, before: Mapping[str, str], day: date) -> dict[str, str]:
        """Look at those that were unfinished and are still due. What is known of them stands where the vault answers
        for none: the wait is longer than many of its troubles, and a manifest that cannot be read is one tenant's.
        """
        waiting, self._unanswered = still_due(register, before), ""
        if len(waiting) < len(before):
            self.log.info("No longer due: %s.", ", ".join(sorted(before.keys() - set(waiting))))
        try:
            return await find_unfinished(self.vault, waiting, day)
        except UnavailableError as error:
            self.log.warning("%s", error)
            self._unanswered = f" What is said of them is from before: {error.what}"
            return {tenant: before[tenant] for tenant in waiting}

    async def _register_now(self, before: Register) -> Register:
        """The register as it stands, or as it was before where it cannot be read."""
        try:
            return await read_register(self.settings)
        except PerennialError as error:
            self.log.warning("The register of the look before counts: %s", error)
            return before


def _unusable_error(register: Register) -> ConfigurationError:
    return ConfigurationError(
        f"{len(register.problems)} entries of the register cannot be used: {_sentences(register.problems)}",
        why="These tenants are not backed up; all the others are.",
        todo="Correct the entries; `confirm_daily_backups` queues the tenants that are missing.",
    )


def _sentences(items: Iterable[object]) -> str:
    return "; ".join(str(item) for item in items) + "."
