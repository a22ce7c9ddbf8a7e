"""How retention changes a recovery point: mark it, take it back, begin its deletion, leave a tombstone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from include.rules.errors import RefusedError
from include.rules.points.holds import Hold
from include.rules.points.manifest import Expiry, Manifest
from include.rules.points.transitions import Act, State, allows


def marked(manifest: Manifest, now: datetime) -> Manifest:
    """Nothing keeps the point any more: it is expiring, and can be taken back until its deletion begins.

    Raises:
        RefusedError: when it is under a hold or being read (also since the plan was made), running or already marked.
    """
    refuse_wanted(manifest, now)
    if not allows(manifest.state, Act.MARK):
        raise _refused(manifest, f"is {manifest.state}", "Start `retention` again: it makes a new plan.")
    return manifest.moved(Act.MARK, expiry=Expiry(marked_at=now, was=manifest.state))


def taken_back(manifest: Manifest) -> Manifest:
    """The point is again what it was before it was marked: retention has found a new reason, or a person holds it.

    Raises:
        RefusedError: when it was not marked, or its deletion has begun.
    """
    expiry = manifest.expiry
    if manifest.state is not State.EXPIRING or expiry is None:
        raise _refused(manifest, f"is {manifest.state}, not expiring", "There is nothing to take back.")
    if expiry.deletion_began_at is not None:
        todo = "Choose another recovery point; what is left of this one cannot be restored."
        raise _refused(manifest, f"has been losing its parts since {expiry.deletion_began_at:%Y-%m-%d %H:%MZ}", todo)
    return manifest.moved(Act.TAKE_BACK, to=expiry.was, expiry=None)


def deletion_begun(manifest: Manifest, now: datetime) -> Manifest:
    """Write this before the first part is deleted: from now on the point cannot be taken back.

    Raises:
        RefusedError: when it is under a hold or being read (also since the plan was made), or was not marked.
    """
    refuse_wanted(manifest, now)
    if manifest.state is not State.EXPIRING or manifest.expiry is None:
        raise _refused(manifest, f"is {manifest.state}, not expiring", "Start `retention` again: it makes a new plan.")
    began = manifest.expiry.deletion_began_at or now
    expiry = manifest.expiry.model_copy(update={"deletion_began_at": began})
    return manifest.moved(Act.BEGIN_DELETION, expiry=expiry)


def tombstone(manifest: Manifest, now: datetime) -> Manifest:
    """What is left of the point once its last part has gone.

    Raises:
        RefusedError: when a hold was placed or a restore began to read meanwhile, also for the last part; or when it
            was not marked.
    """
    refuse_wanted(manifest, now)
    return manifest.moved(Act.BURY)


def abandoned(manifest: Manifest, now: datetime) -> Manifest:
    """Close an attempt that no run carries any more: it has failed."""
    reason = manifest.failure or "No run was at work on it any more."
    if manifest.state is not State.RUNNING:
        return manifest.with_failure(reason).closed(now)
    return manifest.moved(Act.ABANDON, closed_at=now, failure=reason)


def replaced_parts(manifest: Manifest, snapshots: Iterable[str], files: Iterable[str]) -> tuple[str, ...]:
    """Which of the snapshots and backup files that carry this point's name belong to none of its parts.

    Earlier attempts and lost answers leave them behind. Only a verified point has replacements for all of them; what a
    point in another state has left may still be adopted, is wanted for diagnosis, or goes with the point.

    Args:
        snapshots: Ids of the EBS snapshots tagged with this recovery point.
        files: Keys of the backup files that lie beside its manifest.
    """
    if manifest.state is not State.VERIFIED or manifest.missing():  # what an edited manifest misses may be among them
        return ()
    parts = manifest.parts
    own = {*parts.snapshot_ids, *(parts.bak.keys if parts.bak else ())}
    return tuple(name for name in (*snapshots, *files) if name not in own)


def held(manifest: Manifest, hold: Hold) -> Manifest:
    """A person's hold: the point stays. One that is expiring is taken back; of one whose deletion has begun, the rest
    is spared. The same hold again changes nothing.

    Raises:
        RefusedError: when only the tombstone is left, or somebody else's hold stands.
    """
    if manifest.state is State.EXPIRED:
        raise _refused(manifest, "is expired: its parts are gone", "Choose another recovery point.")
    standing = manifest.hold
    if standing and standing.holds(hold.placed_at) and standing.author != hold.author:
        todo = f"Ask {standing.author}. To replace it all the same, start `lift_hold` first."
        raise _refused(manifest, f"is under a hold already, {standing.said}: a second one would take its place", todo)
    back = taken_back(manifest) if manifest.expiry and manifest.expiry.deletion_began_at is None else manifest
    same = standing and (standing.author, standing.reason, standing.until) == (hold.author, hold.reason, hold.until)
    return back if same else back.with_hold(hold, hold.author, hold.placed_at)


def found_whole(manifest: Manifest) -> Manifest:
    """A point whose deletion had begun, and of which all parts are there: it is again what it was.

    Only under a hold, which stops every further deletion, and after a look while nobody was at work on the tenant.

    Raises:
        RefusedError: when it is under no hold, or not expiring.
    """
    if manifest.state is not State.EXPIRING or manifest.expiry is None or manifest.hold is None:
        raise _refused(manifest, f"is {manifest.state} and not under a hold any more", "Look at it again.")
    return manifest.moved(Act.FIND_WHOLE, to=manifest.expiry.was, expiry=None)


def lifted(manifest: Manifest, by: str, now: datetime) -> Manifest:
    """The hold is taken away by a person: from now on the policy decides.

    Raises:
        RefusedError: when there is none.
    """
    if manifest.hold is None:
        raise _refused(manifest, "is under no hold", "Check the recovery point's id.")
    return manifest.with_hold(None, by, now)


def refuse_wanted(manifest: Manifest, now: datetime) -> None:
    """Refuse to take anything from a point that somebody wants.

    Raises:
        RefusedError: when it is under a hold or being read.
    """
    read_until = manifest.read_until(now)
    if read_until:
        todo = "The next `retention` after the restore's end looks at it again."
        raise _refused(manifest, f"is read by a restore until {read_until:%Y-%m-%d %H:%MZ} at the latest", todo)
    if manifest.hold and manifest.hold.holds(now):
        raise _refused(
            manifest, f"is under a hold {manifest.hold.said}", "Lift the hold first, if it is yours to lift."
        )


def _refused(manifest: Manifest, what: str, todo: str) -> RefusedError:
    began = manifest.expiry is not None and manifest.expiry.deletion_began_at is not None
    return RefusedError(
        f"Recovery point {manifest.id} of tenant {manifest.tenant} {what}.",
        why="What its deletion had left of it was left as it is." if began else "It was left as it is.",
        todo=todo,
    )
