"""What opening a recovery point means, given what the vault already says about it."""

from __future__ import annotations

from datetime import datetime, timedelta

from include.rules.errors import RefusedError
from include.rules.points.backup_files import BackupFilePart
from include.rules.points.leases import Restored
from include.rules.points.looks import VolumeLook
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName, Parts, SnapshotPart, SnapshotRole
from include.rules.points.requests import BackupRequest
from include.rules.points.transitions import Act, State, allows, outcomes
from include.rules.register.tenants import Tenant

ADOPTION_AGE = timedelta(hours=1)
"""A new attempt adopts parts younger than this and makes the others anew: one recovery point, one moment."""


def first_attempt(
    request: BackupRequest, tenant: Tenant, *, owner: str, token: int, now: datetime, note: str = ""
) -> Manifest:
    """The manifest that claims the recovery point's id."""
    return Manifest(
        id=request.recovery_point_id,
        tenant=tenant.id,
        kind=request.kind,
        state=outcomes(Act.OPEN, None)[0],
        attempt=1,
        owner=owner,
        token=token,
        opened_under=token,
        opened_at=now,
        source=tenant,
        note=note,
    )


def is_settled(manifest: Manifest) -> bool:
    """True when the same request again has nothing to do: the recovery point is verified.

    Raises:
        RefusedError: when retention is already taking the point away.
    """
    back = manifest.comes_back_as
    if manifest.state in (State.EXPIRING, State.EXPIRED):
        raise RefusedError(
            f"Recovery point {manifest.id} of tenant {manifest.tenant} is {manifest.state}.",
            why="Retention is taking it away; nothing was done.",
            todo="Take a manual backup instead"
            + (f", or bring it back with `hold_recovery_point`: it was {back}." if back else "."),
        )
    return manifest.state is State.VERIFIED


def next_attempt(
    manifest: Manifest, tenant: Tenant, *, owner: str, token: int, now: datetime, restored: Restored | None = None
) -> Manifest:
    """Begin again under the same id: parts that are still fresh are adopted, the others dropped and swept later.

    Args:
        restored: The tenant's last restore: nothing that was made before it is adopted.

    Raises:
        RefusedError: when the point is verified, or retention is taking it away.
    """
    same_place = not is_overtaken(manifest, restored)
    same_web = same_place and manifest.source.web == tenant.web
    same_database = same_place and manifest.source.database == tenant.database
    claim = manifest.claim
    if claim and not (same_database and is_fresh(claim.claimed_at, now)):
        claim = claim.model_copy(update={"discarded": True})
    parts = Parts(
        web_snapshot=_adoptable_snapshot(manifest, SnapshotRole.WEB, now) if same_web else None,
        db_snapshot=_adoptable_snapshot(manifest, SnapshotRole.DATABASE, now) if same_database else None,
        bak=_fresh_file(manifest.parts.bak, now) if same_database else None,
    )
    starts = [snapshot.started_at for snapshot in parts.snapshots]
    return manifest.moved(
        Act.OPEN_AGAIN,
        attempt=manifest.attempt + 1,
        owner=owner,
        token=token,
        opened_under=token,
        opened_at=now,
        closed_at=None,
        time=min(starts, default=None),
        source=tenant,
        parts=parts,
        claim=claim,
        database_files=manifest.database_files if same_database else (),
        database_settings=manifest.database_settings if same_database else None,
        looks=_looks_that_count(manifest, same_web=same_web, same_database=same_database),
        verification=None,
        failure=None,
        failures=(),
    )


def resumed(
    manifest: Manifest, *, owner: str, token: int, now: datetime, restored: Restored | None = None
) -> Manifest | None:
    """The same run opens again (its trigger was restarted): go on with the attempt.

    None when the attempt is another run's, is closed, or has parts too old to stand beside new ones, or a restore was
    at work since it was opened.
    """
    is_open = manifest.closed_at is None and not is_overtaken(manifest, restored)
    unfinished = allows(manifest.state, Act.RESUME) and is_open
    part_times = [part.started_at for part in manifest.parts.snapshots]
    if manifest.claim and not manifest.claim.discarded:
        part_times.append(manifest.claim.claimed_at)
    if unfinished and manifest.owner == owner and all(is_fresh(moment, now) for moment in part_times):
        return manifest.moved(Act.RESUME, token=token, opened_under=token, failure=None, failures=())
    return None


def is_overtaken(manifest: Manifest, restored: Restored | None) -> bool:
    """True for an attempt that was opened before the end of the tenant's last restore: its parts may hold what that has
    overwritten, and no other part may stand beside them.
    """
    return restored is not None and restored.overtakes(manifest.opened_under)


def is_fresh(made_at: datetime, now: datetime) -> bool:
    """True for a part that a new attempt may adopt."""
    return now - made_at < ADOPTION_AGE


def _adoptable_snapshot(manifest: Manifest, role: SnapshotRole, now: datetime) -> SnapshotPart | None:
    """The snapshot, when it is fresh and its volume was seen to be the right one before it was taken."""
    part, look = manifest.snapshot(role), manifest.looks.get(PartName(role))
    return part if part and look and not look.not_looked_at and is_fresh(part.started_at, now) else None


def _looks_that_count(manifest: Manifest, *, same_web: bool, same_database: bool) -> dict[PartName, VolumeLook]:
    """Looks by which a snapshot that an earlier attempt has asked for may still be adopted."""
    same = {PartName.WEB_SNAPSHOT: same_web, PartName.DB_SNAPSHOT: same_database}
    return {name: look for name, look in manifest.looks.items() if same[name] and not look.not_looked_at}


def _fresh_file(part: BackupFilePart | None, now: datetime) -> BackupFilePart | None:
    return part if part and is_fresh(part.started_at, now) else None
