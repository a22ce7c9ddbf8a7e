"""What the steps of a backup share: the request, and that those between open and close act under the lease."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from include.rules.backup.attempts import is_overtaken, is_settled
from include.rules.errors import LeaseLostError, OutrankedError, PartError, PerennialError
from include.rules.points.manifest import Manifest
from include.rules.points.requests import BackupRequest
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.vault.collection import Versioned
from perennial.hooks.vault.leased import LeasedPoint
from perennial.steps.trigger import StepResult, StepTrigger

SETTLED: Final = {"message": "The recovery point is verified already: there is nothing to do."}


class BackupTrigger(StepTrigger):
    """A step of a backup.

    Fields:
        request: `<tenant>|<kind>|<moment>`.
    """

    request: str

    @property
    def backup_request(self) -> BackupRequest:
        """The request, read.

        Raises:
            ConfigurationError: when it is none.
        """
        return BackupRequest.parse(self.request)

    async def read_manifest(self) -> Versioned[Manifest] | None:
        """The recovery point's manifest as it stands; None when there is none."""
        return await self.vault.points.get(self.backup_request.tenant, self.backup_request.recovery_point_id)

    async def know_manifest(self) -> Versioned[Manifest] | None:
        """The recovery point's manifest as this process knows it; where somebody else may have acted on the tenant
        since, it is read, after the lease: a token that was taken between the two is then noticed.
        """
        request, points = self.backup_request, self.vault.points
        known = points.remembered(request.tenant, request.recovery_point_id)
        if known:
            return known
        await self.vault.lease(request.tenant)
        version = await self.read_manifest()
        if version:
            points.remember(version)
        return version


class BackupStepTrigger(BackupTrigger):
    """A step between open and close: acts on the recovery point under the tenant's lease.

    Subclasses write `act`, and `stop` where they set something going on another machine. A point that is verified
    already needs no step.
    """

    async def act(self, point: LeasedPoint) -> StepResult:
        """Do the step's part; idempotent.

        Raises:
            PerennialError: when it cannot be done; the manifest remembers the message.
        """
        raise NotImplementedError

    async def stop(self, manifest: Manifest) -> None:
        """End what this step has set going elsewhere, or it would go on for nobody."""

    async def work(self) -> StepResult:
        request, current = self.backup_request, await self.know_manifest()
        if current and is_settled(current.value):
            return dict(SETTLED)
        try:
            async with self.under_lease(request.tenant) as lease:
                point = self.holding(await LeasedPoint.load(lease, request.recovery_point_id))
                if is_settled(point.manifest):
                    return dict(SETTLED)  # by another process, since this one has last seen it
                _check_not_overtaken(point)
                result = await self.act(point)
                if any(failure.step == self.step_id for failure in point.manifest.failures):
                    await point.change(lambda manifest: manifest.with_step_done(self.step_id))
                return result
        except OutrankedError:
            raise
        except LeaseLostError:
            # What this process knew may have been long ago: the run may be over, and all done.
            current = await self.read_manifest() if not self.has_taken_token else None
            if current and is_settled(current.value):
                return dict(SETTLED)
            raise

    async def call_off(self) -> None:
        with suppress(PerennialError, SqlServerError):
            current = await self.read_manifest()
            if current:
                await self.stop(current.value)


def _check_not_overtaken(point: LeasedPoint) -> None:
    """Raises PartError when a restore was at work on the tenant since the attempt was opened: `close` alone, or nobody,
    has taken the lease for this run since, and its parts are still there.
    """
    if is_overtaken(point.manifest, point.lease.restored):
        raise PartError(
            f"Recovery point {point.manifest.id} of tenant {point.manifest.tenant} was begun before a restore, or "
            "during one.",
            why="What is made now does not fit what it has from before: it would show a tenant that never was.",
            todo="Clear the task `open` of this run: a new attempt makes all parts anew.",
        )
