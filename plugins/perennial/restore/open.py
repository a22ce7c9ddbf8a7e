"""Opening a restore: the tenant's lease, and whether the plan that was shown still holds."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import UTC, datetime

from include.rules.errors import PartError, PerennialError, RefusedError
from include.rules.points.approvals import NOT_TOLD
from include.rules.points.leases import Purpose
from include.rules.restore.approval import check_approved
from include.rules.restore.choice import check_own_place
from include.rules.restore.half_restored import all_in_doubt
from include.rules.restore.owner import check_owner
from include.rules.restore.record import RestoreRecord, RestoreState
from include.rules.restore.request import RestoreRequest
from perennial.hooks.aws.errors import AwsRejectedError
from perennial.hooks.register import find_register
from perennial.hooks.vault.leased import LeasedRestore
from perennial.hooks.vault.tenant_lease import TenantLease
from perennial.hooks.vault.vault import Vault
from perennial.restore.readers import begin_reading, end_reading
from perennial.restore.site import marker_on_site
from perennial.restore.step import RestoreTrigger
from perennial.steps.alone import refuse_alone
from perennial.steps.trigger import StepResult

log = logging.getLogger(__name__)


class OpenRestoreTrigger(RestoreTrigger):
    """Takes the tenant's lease, makes sure that the plan still holds, and begins to carry it out.

    Fields:
        approved: The seal of the plan that was approved.
    """

    approved: str = NOT_TOLD

    async def work(self) -> StepResult:
        vault, request = self.vault, self.request()
        planned = await self.read_record()
        if planned and planned.state not in (RestoreState.PLANNED, RestoreState.DONE):
            await refuse_alone(self)
        # A restore never waits for a busy tenant: the operator at night has to know at once, and who is in the way.
        lease = await self.acquire(request.target, Purpose.RESTORE)
        try:
            restore = await LeasedRestore.load(lease, request.restore_id)
            check_owner(restore.record, lease.owner)
            self.holding(restore)
            await self._check_plan_holds(restore.record)
            inherited = await _read_inherited(vault, restore.record)
            await begin_reading(vault, restore.record)
            record = await restore.change(
                lambda r: r.opened(owner=lease.owner, token=lease.token, now=datetime.now(UTC), inherited=inherited)
            )
        except Exception:
            await lease.release()
            raise
        return {"restore": record.id, "recovery_point": record.plan.recovery_point}

    async def _check_plan_holds(self, record: RestoreRecord) -> None:
        """The preview may be days old: what it said of the place has to be true still."""
        if record.state is RestoreState.DONE:
            raise RefusedError(
                f"Restore {record.id} of tenant {record.tenant} is done.",
                why="Carried out again it would overwrite what users have done since; nothing was restored.",
                todo="Start a new restore.",
            )
        check_approved(record, self.approved)
        register, plan = await find_register(self.settings), record.plan
        now_there = register.tenants.get(plan.target.id) if register else None
        place = (now_there.web, now_there.database) if now_there else None
        if (place is None and record.registered) or (place and place != (plan.target.web, plan.target.database)):
            raise RefusedError(
                f"Tenant {record.tenant} has moved since restore {record.id} was planned: the register has changed.",
                why="The preview that was shown is about another place; nothing was restored.",
                todo="Start a new restore.",
            )
        check_own_place(plan, register)

    async def call_off(self) -> None:
        """Give the lease back: no `close` follows an `open` that was ended."""
        request = self.request()
        with suppress(PerennialError):
            async with self.under_lease(request.target) as lease:
                await _give_up(lease, request)


async def _read_inherited(vault: Vault, record: RestoreRecord) -> dict[str, str]:
    """What an earlier restore has left half restored, by whose marker the site is still offline; where its record
    cannot be read, all that it can have touched: the site goes online when all of that is brought back.

    Raises:
        RefusedError: when this restore had changed the site, and its own marker no longer lies there: users may have
            worked since, and its safety point does not have that.
    """
    if not record.plan.overwrites:
        return {}
    marker = await marker_on_site(vault.settings, record)
    if record.has_changed_the_site and marker != record.id:
        raise RefusedError(
            f"Restore {record.id} of tenant {record.tenant} cannot be carried out again: it has changed the site, and "
            "its marker no longer lies there.",
            why=f"Users may have worked since, and its safety point {record.safety_point} does not have that; nothing "
            "more was overwritten.",
            todo="Start a new restore.",
        )
    if marker is None or marker == record.id:
        return {}
    try:
        earlier = await vault.restores.get_in_place(record.tenant, marker)
    except (PartError, AwsRejectedError) as error:
        log.warning("All of tenant %s counts as half restored by %s: %s", record.tenant, marker, error)
        return all_in_doubt(record.plan.target)
    return earlier.value.half_restored if earlier else {}


async def _give_up(lease: TenantLease, request: RestoreRequest) -> None:
    with suppress(PerennialError):
        restore = await LeasedRestore.load(lease, request.restore_id)
        await end_reading(lease.vault, restore.record)
    await lease.release()
