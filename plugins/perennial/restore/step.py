"""What every step of a restore shares: its fields are the form's, and it acts under the tenant's lease."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from include.rules.errors import LeaseLostError, PartError, PerennialError
from include.rules.points.manifest import Manifest
from include.rules.restore.record import RestoreRecord, RestoreStep
from include.rules.restore.request import RestoreRequest
from perennial.hooks.vault import tenant_lease
from perennial.hooks.vault.leased import LeasedRestore
from perennial.hooks.vault.vault import Vault
from perennial.settings import Settings
from perennial.steps.trigger import StepResult, StepTrigger


@dataclass(frozen=True)
class Done:
    """What a step says of itself, in a sentence for the record, and how many bytes it has brought back."""

    message: str
    bytes: int = 0


class RestoreTrigger(StepTrigger):
    """A step of a restore; its fields are the form (the run's parameters as JSON) and the moment of the request."""

    fields: ClassVar[tuple[str, ...]] = ("form", "moment")
    form: str
    moment: str

    def request(self) -> RestoreRequest:
        """The form, checked."""
        return RestoreRequest.parse(self.form, self.moment)

    async def record_of_run(self) -> RestoreRecord | None:
        """The restore's record as it stands; for what has to be ended when a run is ended by hand."""
        request = self.request()
        version = await Vault(Settings.from_environment()).restores.get(request.target, request.restore_id)
        return version.value if version else None


class RestoreStepTrigger(RestoreTrigger):
    """A step between open and close: acts under the tenant's lease and writes into the record what it did.

    Subclasses name their `step` and write `act`.
    """

    step: ClassVar[str]

    async def act(self, restore: LeasedRestore, point: Manifest) -> Done:
        """Do the step's part, idempotent.

        Raises:
            PerennialError: when it cannot be done; the record remembers the message.
        """
        raise NotImplementedError

    async def work(self) -> StepResult:
        settings, request = Settings.from_environment(), self.request()
        vault, began_at = Vault(settings), datetime.now(UTC)
        async with tenant_lease.continue_under_lease(vault, request.target, self.owner(settings)) as lease:
            restore = await LeasedRestore.load(lease, request.restore_id)
            try:
                done = await self.act(restore, await self._point(vault, restore.record))
            except LeaseLostError:
                raise
            except Exception as error:
                message = str(error) if isinstance(error, PerennialError) else f"{type(error).__name__}: {error}"
                with suppress(PerennialError):
                    await restore.change(lambda record: record.model_copy(update={"failure": message}))
                raise
            step = RestoreStep(
                name=self.step, said=done.message, began_at=began_at, at=datetime.now(UTC), bytes=done.bytes
            )
            await restore.change(lambda record: record.with_step(step))
        return {"message": done.message, "seconds": round(step.seconds, 1)}

    async def _point(self, vault: Vault, record: RestoreRecord) -> Manifest:
        version = await vault.points.get(record.plan.source, record.plan.recovery_point)
        if version is None:
            raise PartError(
                f"The manifest of recovery point {record.plan.recovery_point} has gone while it was being restored.",
                why=f"Restore {record.id} of tenant {record.tenant} stopped.",
                todo="Restore another recovery point.",
            )
        return version.value
