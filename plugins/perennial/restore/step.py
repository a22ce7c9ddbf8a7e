"""What every step of a restore shares: its fields are the form's, and it acts under the tenant's lease."""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from include.rules.errors import PartError, PerennialError
from include.rules.points.manifest import Manifest
from include.rules.restore.order import check_order
from include.rules.restore.record import RestoreRecord, RestoreStep
from include.rules.restore.request import RestoreRequest
from perennial.hooks.sql_server.errors import SqlServerError, translate_sql_errors
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.vault.leased import LeasedRestore
from perennial.steps.trigger import StepResult, StepTrigger


@dataclass(frozen=True)
class StepReport:
    """What a step says of itself, in a sentence for the record, and how many bytes it has brought back."""

    message: str
    bytes: int = 0


def server_must_answer(tenant: str, server: SqlServer, *, why: str) -> AbstractContextManager[None]:
    """Raises UnavailableError when the tenant's database server does not answer within the block, or refuses."""
    what = f"The database server of tenant {tenant} does not answer"
    return translate_sql_errors(what, why=why, server=server.conn_id)


class RestoreTrigger(StepTrigger):
    """A step of a restore.

    Fields:
        form: The run's parameters as JSON.
        moment: When the run was asked for.
    """

    form: str
    moment: str

    def request(self) -> RestoreRequest:
        """The form, checked."""
        return RestoreRequest.parse(self.form, self.moment)

    async def read_record(self) -> RestoreRecord | None:
        """The restore's record as it stands; None when there is none."""
        request = self.request()
        version = await self.vault.restores.get(request.target, request.restore_id)
        return version.value if version else None


class RestoreStepTrigger(RestoreTrigger):
    """A step between open and close: acts under the tenant's lease and writes into the record what it did.

    Subclasses name their `step` and write `act`, and `stop` where they set something going on another machine.
    """

    step: ClassVar[str]

    async def act(self, restore: LeasedRestore, point: Manifest) -> StepReport:
        """Do the step's part, idempotent.

        Raises:
            PerennialError: when it cannot be done; the record remembers the message.
        """
        raise NotImplementedError

    async def act_on(self, restore: LeasedRestore) -> StepReport:
        """Do the step's part with what it needs. A step that only cleans up writes this instead of `act`: it needs
        nothing of the recovery point, which may have gone by then.
        """
        return await self.act(restore, await self._read_point(restore.record))

    async def stop(self, record: RestoreRecord) -> None:
        """End what this step has set going elsewhere, or it would go on for nobody."""

    async def work(self) -> StepResult:
        _settings, request = self.settings, self.request()  # a missing setting is told before a form that is wrong
        began_at = datetime.now(UTC)
        async with self.under_lease(request.target) as lease:
            restore = self.holding(await LeasedRestore.load(lease, request.restore_id))
            check_order(restore.record, self.step)
            outcome = await self.act_on(restore)
            step = RestoreStep(
                name=self.step, message=outcome.message, began_at=began_at, at=datetime.now(UTC), bytes=outcome.bytes
            )
            await restore.change(lambda record: record.with_step(step))
        return {"message": outcome.message, "seconds": round(step.seconds, 1)}

    async def call_off(self) -> None:
        with suppress(PerennialError, SqlServerError):
            record = await self.read_record()
            if record:
                await self.stop(record)

    async def _read_point(self, record: RestoreRecord) -> Manifest:
        version = await self.vault.points.get(record.plan.source, record.plan.recovery_point)
        if version is None:
            raise PartError(
                f"The manifest of recovery point {record.plan.recovery_point} has gone while it was being restored.",
                why=f"Restore {record.id} of tenant {record.tenant} stopped.",
                todo="Restore another recovery point.",
            )
        return version.value
