"""Recovery points of which a part is no longer there: they have failed, whatever their manifest says."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from include.rules.errors import PartError
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName, SnapshotRole
from include.rules.points.transitions import WHOLE, Act, State
from include.rules.retention.reports import first_named

YOUNG = timedelta(hours=1)
"""Look-ups of EBS lag behind what was just made. A point that is younger was seen whole by the run that closed it."""


def is_suspect(manifest: Manifest, snapshots: Collection[str], files: Collection[str], now: datetime) -> bool:
    """True when the listings do not show all parts of a point that could be restored, or taken back.

    Args:
        snapshots: Ids of all snapshots that were listed for the tenant.
        files: Keys of the backup files that were listed beside the manifest.
    """
    deletion_began = manifest.expiry is not None and manifest.expiry.deletion_began_at is not None
    effective_state = manifest.expiry.previous_state if manifest.expiry else manifest.state
    if deletion_began or effective_state not in WHOLE:
        return False
    if now - (manifest.closed_at or now) < YOUNG:
        return False
    return bool(absent(manifest, snapshots, files))


def absent(manifest: Manifest, snapshots: Collection[str], files: Collection[str]) -> tuple[PartName, ...]:
    """Names of the parts that the point needs and that are not among these, or that its manifest does not even name."""
    names = list(manifest.missing())
    for role in SnapshotRole:
        part = manifest.snapshot(role)
        if part and part.snapshot_id not in snapshots:
            names.append(PartName(role))
    if manifest.parts.bak and not set(manifest.parts.bak.keys) <= set(files):
        names.append(PartName.BAK)
    return tuple(names)


def failed_for_want_of(manifest: Manifest, missing: Iterable[PartName], now: datetime) -> Manifest:
    """The point without these parts: it has failed, and so it stands for nothing and comes back as nothing better.

    One that is expiring goes on doing so. A missing part is forgotten, so that no later attempt adopts it.

    Raises:
        RefusedError: when the point is neither whole nor expiring any more.
    """
    rest = manifest
    for name in missing:
        rest = rest.forgetting_part(name)
    failure = f"Found by retention on {now:%Y-%m-%d}: gone without its doing are {_described(manifest, missing)}."
    if manifest.expiry:
        expiry = manifest.expiry.model_copy(update={"previous_state": State.FAILED})
        return rest.moved(Act.LOSE_PARTS, expiry=expiry).with_failure(failure)
    return rest.moved(Act.LOSE_PARTS, closed_at=now).with_failure(failure)


def report_lost_parts(
    tenant: str, points: Mapping[str, Manifest], lost: Mapping[str, tuple[PartName, ...]]
) -> PartError:
    """What to tell a person about the tenant's points that have lost parts (by id, with the names of those)."""
    newest_first = sorted(lost, key=lambda name: (points[name].time or points[name].opened_at, name), reverse=True)
    described = [f"{name} ({_described(points[name], lost[name])})" for name in newest_first]
    return PartError(
        f"Recovery points of tenant {tenant} have lost parts that nobody at work here has deleted: "
        f"{first_named(described)}.",
        why="They cannot be restored: they count as failed, and the next best ones stand for their days.",
        todo="Find out who deleted them (CloudTrail knows); start `manual_backup` if the newest point is among them.",
    )


def _described(manifest: Manifest, names: Iterable[PartName]) -> str:
    return ", ".join(_part(manifest, name) for name in names)


def _part(manifest: Manifest, name: PartName) -> str:
    if manifest.parts.get(name) is None:
        return f"{name}, which its manifest does not name"
    if name == PartName.BAK:
        return "files of its .bak"
    part = manifest.snapshot(SnapshotRole(name))
    return f"{name} {part.snapshot_id}" if part else name
