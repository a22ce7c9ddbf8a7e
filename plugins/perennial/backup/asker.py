"""A step that needs a snapshot of a volume: its candidate for shared ones, its looks, and what it has been given."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from include.rules.backup.sharing import Candidate
from include.rules.errors import PartError
from include.rules.points.looks import TenantLook
from include.rules.points.parts import SnapshotRole, host_of
from include.rules.points.shared_snapshots import SharedSnapshot
from perennial.backup.volume_looks import look_at_all
from perennial.hooks.aws.errors import advice_for
from perennial.hooks.vault.leased import LeasedPoint


def candidate_of(point: LeasedPoint, role: SnapshotRole) -> Candidate:
    """What the rules have to know of a point that needs a snapshot."""
    manifest = point.manifest
    return Candidate(
        tenant=manifest.tenant,
        point=manifest.id,
        kind=manifest.kind,
        token=point.lease.token,
        host=host_of(manifest.source, role),
        opened_at=point.written_at,
        window=timedelta(minutes=manifest.source.plan.snapshot_window_minutes),
        restored=point.lease.restored,
    )


class Asker:
    """One recovery point that needs a snapshot of one of its volumes.

    Args:
        point: In the hands of the step.
        role: Which volume.

    Attributes:
        candidate: What the rules have to know of it.
        joined: The shared snapshot that has it on its list; None until then.
        refusal: Why AWS has refused, for good, the claim of another for which it was waiting; None while it has not.
            What it can do without asking AWS for a snapshot it still does.
    """

    def __init__(self, point: LeasedPoint, role: SnapshotRole) -> None:
        self.point, self.role, self.volume = point, role, point.manifest.volume_of(role)
        self.candidate = candidate_of(point, role)
        self.joined: SharedSnapshot | None = None
        self.refusal: Exception | None = None
        self._came, self._came_at = asyncio.get_running_loop().time(), point.seen_at

    @property
    def now(self) -> datetime:
        """The store's time."""
        return self._came_at + timedelta(seconds=asyncio.get_running_loop().time() - self._came)

    async def look(self) -> dict[str, TenantLook]:
        """Look at the volume, for all of its tenants; what may have been seen before the end of the tenant's last
        restore does not count. Raises as `look_at_all`.
        """
        anew = not self.candidate.shows_restored(self.now)
        return await look_at_all(self.point.vault.settings, self.point.manifest, self.role, anew=anew)

    def saw_nothing(self) -> None:
        """Its own look has come to nothing: it takes what there is."""
        self.candidate = replace(self.candidate, has_seen_nothing=True)

    def check_not_refused(self) -> None:
        """Make sure, before AWS is asked for a snapshot, that it would not only refuse again.

        Raises:
            PartError: when it has refused another claim for which this one was waiting.
        """
        if self.refusal:
            raise self.refused_error(self.refusal)

    def refused_error(self, error: Exception) -> PartError:
        """What AWS's refusal means for this point."""
        todo = advice_for(error, "Check the volume in the register and the rights of the AWS connection.")
        failure = self._no_snapshot_error(str(error), todo)
        failure.__cause__ = error
        return failure

    def unseen_error(self, document: SharedSnapshot) -> PartError:
        """A snapshot was made for this point that it cannot use; another one would be like it."""
        return self._no_snapshot_error(
            f"the looks of its shared snapshot {document.id} have none at this tenant",
            "Clear the task `open` of this run, which looks anew; if it comes again, report it as a fault.",
            snapshot=document.snapshot_id,
        )

    def _no_snapshot_error(self, reason: str, todo: str, **ids: object) -> PartError:
        manifest = self.point.manifest
        return PartError(
            f"Volume {self.volume} of tenant {manifest.tenant} could not be snapshotted: {reason}.",
            why=f"Recovery point {manifest.id} has no {self.role.value}.",
            todo=todo,
            **ids,
        )
