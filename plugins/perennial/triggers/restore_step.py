"""What every step of a restore shares: its fields are the form's, and it acts under the tenant's lease."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import ClassVar

from include.backups.errors import LeaseLostError, PartError, PerennialError
from include.backups.recovery_points import Manifest
from include.backups.restores import RestoreRecord, RestoreRequest
from perennial.hooks import tenant_lease
from perennial.hooks.leased import LeasedRestore
from perennial.hooks.vault import Vault
from perennial.settings import Settings
from perennial.triggers.step import Said, StepTrigger


class RestoreTrigger(StepTrigger):
    """A step of a restore; its fields are the form's."""

    fields: ClassVar[tuple[str, ...]] = ("tenant", "recovery_point", "confirm", "moment")
    tenant: str
    recovery_point: str
    confirm: str
    moment: str

    def request(self) -> RestoreRequest:
        """The form, checked."""
        return RestoreRequest.parse(
            tenant=self.tenant, recovery_point=self.recovery_point, confirm=self.confirm, moment=self.moment
        )


class RestoreStepTrigger(RestoreTrigger):
    """A step between open and close: acts under the tenant's lease and writes into the record what it did.

    Subclasses name their `step` and write `act`.
    """

    step: ClassVar[str]

    async def act(self, restore: LeasedRestore, point: Manifest) -> str:
        """Do the step's part, idempotent; returns a sentence for the record.

        Raises:
            PerennialError: when it cannot be done; the record remembers the message.
        """
        raise NotImplementedError

    async def work(self) -> Said:
        settings, request = Settings.from_environment(), self.request()
        vault = Vault(settings)
        async with tenant_lease.entered(vault, request.tenant, self.owner(settings)) as lease:
            restore = await LeasedRestore.load(lease, request.restore_id)
            try:
                said = await self.act(restore, await self._point(vault, restore.record))
            except LeaseLostError:
                raise
            except Exception as error:
                message = str(error) if isinstance(error, PerennialError) else f"{type(error).__name__}: {error}"
                with suppress(PerennialError):
                    await restore.change(lambda record: record.model_copy(update={"failure": message}))
                raise
            await restore.change(lambda record: record.with_step(self.step, said, datetime.now(UTC)))
        return {"said": said}

    async def _point(self, vault: Vault, record: RestoreRecord) -> Manifest:
        version = await vault.points.get(record.tenant, record.recovery_point)
        if version is None:
            raise PartError(
                f"The manifest of recovery point {record.recovery_point} has gone while it was being restored.",
                why=f"Restore {record.id} of tenant {record.tenant} stopped.",
                todo="Restore another recovery point.",
            )
        return version.value
