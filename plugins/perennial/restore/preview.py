"""The preview of a restore: everything is looked at, nothing is touched, and what must not be done is refused."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from include.rules.errors import ConflictError, LeaseBusyError, OutrankedError, PerennialError, RefusedError
from include.rules.points.approvals import sealed
from include.rules.points.manifest import Manifest
from include.rules.register.register import Register
from include.rules.restore.approval import fingerprint, replanned
from include.rules.restore.choice import (
    check_own_place,
    check_scope,
    choose_point,
    is_registered,
    note_passed_over,
    suggest_nearest,
    target_of,
)
from include.rules.restore.hosts import check_hosts
from include.rules.restore.owner import check_owner
from include.rules.restore.plan import plan_restore
from include.rules.restore.preview import preview
from include.rules.restore.record import RestoreRecord, RestoreState
from include.rules.restore.request import RestoreRequest
from include.rules.restore.source_folder import check_source, seen_folder
from include.rules.retention.outlook import describe_fate
from perennial.hooks.register import find_register
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.vault.vault import Vault
from perennial.restore.neighbours import known_tenants
from perennial.restore.safety_look import check_can_be_kept_safe
from perennial.restore.settings import preview_settings
from perennial.restore.step import RestoreTrigger
from perennial.restore.survey import Surveyor
from perennial.steps.trigger import PreviewTrigger, StepResult

EARLIER = 20
"""How many of the tenant's earlier restores tell how long this one will take."""


class PreviewRestoreTrigger(PreviewTrigger, RestoreTrigger):
    """Decides the plan, writes it into the vault, and shows it. Holds no lease: an approval may take days."""

    _surveyor: Surveyor | None = None

    async def work(self) -> StepResult:
        vault, request = self.vault, self.request()
        await self._refuse_when_busy(vault, request, self.owner)
        record = await self._make_plan(vault, request, self.owner)
        record = await _write(vault, record)
        self.log.info("%s", record.preview)
        return {
            "restore": record.id,
            "recovery_point": record.plan.recovery_point,
            "approval": list(record.plan.approvals),
            "preview": record.preview,
        }

    async def call_off(self) -> None:
        """End the reading of the .bak, which may take long."""
        if self._surveyor:
            with suppress(PerennialError, SqlServerError):
                await self._surveyor.stop()

    async def _make_plan(self, vault: Vault, request: RestoreRequest, owner: str) -> RestoreRecord:
        now, register = datetime.now(UTC), await find_register(vault.settings)
        if request.recovery_point:
            # A damaged manifest is left out of the list below; the one that was named has to say so.
            await vault.points.get(request.tenant, request.recovery_point)
        manifests = await vault.manifests(request.tenant)
        point = choose_point(manifests, request.tenant, request.recovery_point)
        check_scope(request, point)
        target = target_of(request, register, point)
        self._surveyor = Surveyor(vault, request, point, target, self.incarnation)
        survey = await self._surveyor.survey()
        suggestion = suggest_nearest([m for m in manifests if m.id != point.id], point.time)
        plan = plan_restore(request, point, target, survey, register.tenants if register else {}, suggestion)
        check_own_place(plan, register)
        if plan.folder and (seen := seen_folder(point)):
            check_source(point, seen, await known_tenants(vault, point, register), suggestion=suggestion)
        check_hosts(plan, point, survey.host)
        await check_can_be_kept_safe(vault.settings, plan, survey.database.state)
        earlier = await vault.latest_restores(request.target, EARLIER)
        shown = (
            preview(plan, point, survey, earlier, now),
            preview_settings(plan, point, survey.database),
            note_passed_over(manifests, point),
            _fate(manifests, point, register, now),
        )
        return RestoreRecord(
            id=request.restore_id,
            tenant=request.target,
            plan=plan,
            registered=is_registered(request.target, register),
            preview=sealed("\n\n".join(filter(None, shown)), fingerprint(plan)),
            owner=owner,
            planned_at=now,
        )

    async def _refuse_when_busy(self, vault: Vault, request: RestoreRequest, owner: str) -> None:
        lease = await vault.lease(request.target)
        if lease and lease.value.is_live(datetime.now(UTC)) and lease.value.owner != owner:
            raise LeaseBusyError(
                f"Tenant {request.target} is busy: a {lease.value.purpose} holds its lease.",
                why="A restore does not wait for it; nothing was restored.",
                todo="Wait for that run to end, or end it, then start the restore again.",
                holder=lease.value.owner,
            )


def _fate(manifests: list[Manifest], point: Manifest, register: Register | None, now: datetime) -> str:
    """How long retention keeps the point, by the policy of today: an approval may take days."""
    entry = register.tenants.get(point.tenant) if register else None
    policy = (entry or point.source).plan.retention
    return describe_fate(point.id, point.tenant, manifests, policy, now)


async def _write(vault: Vault, record: RestoreRecord) -> RestoreRecord:
    """Write the plan; over an earlier one of this run only while nothing has been carried out.

    Raises:
        OutrankedError: when a later incarnation of the preview has shown its plan: this one, which was stalled, would
            put another one in its place that nobody has seen.
        RefusedError: when the plan is being, or was, carried out.
    """
    while True:
        current = await vault.restores.get(record.tenant, record.id)
        try:
            if current is None:
                return (await vault.restores.create(record)).value
            check_owner(current.value, record.owner)
            if current.value.planned_at > record.planned_at:
                raise OutrankedError(
                    f"A later preview of restore {record.id} of tenant {record.tenant} has shown its plan.",
                    why="This one has changed nothing.",
                    todo="Look at the later one.",
                )
            if current.value.state is not RestoreState.PLANNED:
                raise RefusedError(
                    f"Restore {record.id} of tenant {record.tenant} is {current.value.state} already.",
                    why="Its plan cannot change any more.",
                    todo="Clear the task `open` to carry the plan out again, or start a new restore.",
                )
            return (await vault.restores.replace(replanned(record, current.value), current.etag)).value
        except ConflictError:
            continue
