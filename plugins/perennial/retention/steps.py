"""The steps of retention: show what one tenant would lose, and carry out what may be done."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

from include.rules.errors import ConfigurationError, ConflictError, PartError, RefusedError
from include.rules.points.approvals import NOT_TOLD, sealed
from include.rules.register.tenants import TENANT_ID
from include.rules.retention.records import ShownPlan
from include.rules.retention.reports import Deed, FleetReport
from perennial.hooks.register import read_register
from perennial.hooks.vault.collection import Versioned
from perennial.hooks.vault.vault import Vault
from perennial.retention.fleet import Retention
from perennial.steps.trigger import PreviewTrigger, StepResult, StepTrigger


class RetentionTrigger(StepTrigger):
    """Base of retention's steps.

    Fields:
        tenant: The one tenant that it is about; empty for the whole fleet.
        only_report: `True` to report what would be done and do nothing.
    """

    tenant: str
    only_report: str
    _retention: Retention | None = None

    def chosen(self) -> str:
        """The one tenant, or an empty text.

        Raises:
            ConfigurationError: when it is no tenant id.
        """
        tenant = self.tenant.strip()
        if tenant and not TENANT_ID.fullmatch(tenant):
            raise ConfigurationError(
                f"{tenant!r} is not a tenant id.", why="Nothing was done.", todo="Leave it empty for the whole fleet."
            )
        return tenant

    @property
    def is_dry(self) -> bool:
        """True when nothing is to be done."""
        return str(self.only_report).lower() == "true"

    async def retention(self, vault: Vault) -> Retention:
        """Retention for this moment."""
        self._retention = Retention(vault, await read_register(vault.settings), self.owner, datetime.now(UTC))
        return self._retention


class PreviewRetentionTrigger(PreviewTrigger, RetentionTrigger):
    """Shows the plan of one tenant; where nothing would expire, the task `approval` is skipped.

    The whole fleet is never shown: nobody waits for a person at noon.
    """

    async def work(self) -> StepResult:
        vault, tenant = self.vault, self.chosen()
        if not tenant:
            return {"message": "The whole fleet: nobody is asked.", "approval": False}
        shown, report = await (await self.retention(vault)).preview(tenant, dry_run=self.is_dry)
        self.log.info("%s", report.text())
        needs_approval = shown.asked and not self.is_dry
        if not self.is_dry:
            before = await vault.shown_plans.get(tenant, tenant)
            await vault.shown_plans.put(shown.after(before.value if before else None))
        text = sealed(f"```\n{report.text()}\n```", shown.fingerprint)
        return {"tenant": tenant, "approval": needs_approval, "preview": text}


class CarryOutRetentionTrigger(RetentionTrigger):
    """Marks, takes back, deletes and sweeps; fails at its end when something needs a person.

    Fields:
        approved: The seal of the plan that was approved; of no matter to a run of the fleet.
    """

    approved: str = NOT_TOLD

    async def work(self) -> StepResult:
        vault, tenant = self.vault, self.chosen()
        retention = await self.retention(vault)
        if not tenant:
            report = await retention.run_for_fleet(dry_run=self.is_dry)
            things = report.needing_operator()
        elif self.is_dry:
            report = FleetReport({tenant: (await retention.preview(tenant, dry_run=True))[1]})
            things = []
        else:
            report = await self._of_tenant(retention, tenant)
            things = report.not_done()
        for of_tenant in report.tenants.values():
            self.log.info("%s", of_tenant.text())
            await asyncio.sleep(0)  # sixty thousand lines of a fleet stop nobody else's step
        for objection in report.fleet:
            self.log.warning("%s", objection)
        if report.shared.text():
            self.log.info("%s", report.shared.text())
        if things and not self.is_dry:
            others = [message for message in report.not_done() if message not in things]
            later = f" Not done either, and left to the next run: {' | '.join(others)}" if others else ""
            raise PartError(
                f"Retention of {tenant or 'the fleet'} left {len(things)} things to a person: {' | '.join(things)}",
                why=f"What was done: {report.summary()}{later}",
                todo="Do what each of them says; the log of this task has every tenant's plan.",
            )
        return {"dry_run": self.is_dry, **report.to_json()}

    async def explain(self, error: Exception) -> str:
        """What has stopped the run, and what had been done and left undone until then: the report is never written."""
        failure, until_then = await super().explain(error), self._so_far()
        return f"{failure} Until then: {until_then}" if until_then and until_then not in failure else failure

    async def call_off(self) -> None:
        self.log.warning("It was ended before it was done. Until then: %s", self._so_far() or "nothing.")

    def _so_far(self) -> str:
        """What was done, and what was not, with each tenant that was looked at."""
        if self._retention is None:
            return ""
        report = FleetReport(self._retention.reports, shared=self._retention.shared)
        if not report.tenants and not report.shared.text():
            return ""
        return " Not done: ".join([report.summary(), *report.not_done()])

    async def _of_tenant(self, retention: Retention, tenant: str) -> FleetReport:
        """Carry out the plan that was shown; once its points are marked, it is used up."""
        shown, plans = await self._shown(retention.vault, tenant, retention.now), retention.vault.shown_plans
        report = await retention.run_for_tenant(shown.value)
        if report.tenants[tenant].done.get(Deed.MARKED):
            with suppress(ConflictError):  # somebody has shown a newer one: then this one is void as well
                await plans.replace(shown.value.used(retention.now), shown.etag)
        return report

    async def _shown(self, vault: Vault, tenant: str, now: datetime) -> Versioned[ShownPlan]:
        """The plan that the task `preview` of this very run has shown.

        Raises:
            RefusedError: when there is none, another run has shown one since, it is not the one that was approved, or
                it was carried out or is too old.
        """
        version = await vault.shown_plans.get(tenant, tenant)
        if version is None or version.value.owner != self.owner:
            raise RefusedError(
                f"The plan of tenant {tenant} that this run has shown is no longer there.",
                why="Another run may have shown a newer one; nothing was expired or deleted.",
                todo=f"Start `retention` with `tenant: {tenant}` again and look at the new plan.",
                shown_by=version.value.owner if version else "nobody",
            )
        void = version.value.why_not_approved(self.approved) or version.value.why_void(now)
        if void:
            raise RefusedError(
                f"The plan of tenant {tenant} that this run has shown {void}.",
                why="What it names may be wanted again by now; nothing was expired or deleted.",
                todo=f"Start `retention` with `tenant: {tenant}` again and look at the new plan.",
            )
        return version
