"""How retention changes a recovery point: mark it, take it back, begin its deletion, leave a tombstone."""

from __future__ import annotations

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
        raise _refused_error(manifest, f"is {manifest.state}", "Start `retention` again: it makes a new plan.")
    return manifest.moved(Act.MARK, expiry=Expiry(marked_at=now, previous_state=manifest.state))


def taken_back(manifest: Manifest) -> Manifest:
    """The point is again what it was before it was marked: retention has found a new reason, or a person holds it.

    Raises:
        RefusedError: when it was not marked, or its deletion has begun.
    """
    expiry = manifest.expiry
    if manifest.state is not State.EXPIRING or expiry is None:
        raise _refused_error(manifest, f"is {manifest.state}, not expiring", "There is nothing to take back.")
    if expiry.deletion_began_at is not None:
        todo = "Choose another recovery point; what is left of this one cannot be restored."
        raise _refused_error(
            manifest, f"has been losing its parts since {expiry.deletion_began_at:%Y-%m-%d %H:%MZ}", todo
        )
    return manifest.moved(Act.TAKE_BACK, to=expiry.previous_state, expiry=None)


def deletion_begun(manifest: Manifest, now: datetime) -> Manifest:
    """Write this before the first part is deleted: from now on the point cannot be taken back.

    Raises:
        RefusedError: when it is under a hold or being read (also since the plan was made), or was not marked.
    """
    refuse_wanted(manifest, now)
    if manifest.state is not State.EXPIRING or manifest.expiry is None:
        raise _refused_error(
            manifest, f"is {manifest.state}, not expiring", "Start `retention` again: it makes a new plan."
        )
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


def held(manifest: Manifest, hold: Hold) -> Manifest:
    """A person's hold: the point stays. One that is expiring is taken back; of one whose deletion has begun, the rest
    is spared. The same hold again changes nothing.

    Raises:
        RefusedError: when only the tombstone is left, or somebody else's hold stands.
    """
    if manifest.state is State.EXPIRED:
        raise _refused_error(manifest, "is expired: its parts are gone", "Choose another recovery point.")
    current = manifest.hold
    if current and current.is_active(hold.placed_at) and current.author != hold.author:
        what = f"is under a hold already, {current.description}: a second one would take its place"
        todo = f"Ask {current.author}. To replace it all the same, start `lift_hold` first."
        raise _refused_error(manifest, what, todo)
    can_come_back = manifest.expiry is not None and manifest.expiry.deletion_began_at is None
    spared = taken_back(manifest) if can_come_back else manifest
    same = current and (current.author, current.reason, current.until) == (hold.author, hold.reason, hold.until)
    return spared if same else spared.with_hold(hold, hold.author, hold.placed_at)


def found_whole(manifest: Manifest) -> Manifest:
    """A point whose deletion had begun, and of which all parts are there: it is again what it was.

    Only under a hold, which stops every further deletion, and after a look while nobody was at work on the tenant.

    Raises:
        RefusedError: when it is under no hold, or not expiring.
    """
    if manifest.state is not State.EXPIRING or manifest.expiry is None or manifest.hold is None:
        raise _refused_error(manifest, f"is {manifest.state} and not under a hold any more", "Look at it again.")
    return manifest.moved(Act.FIND_WHOLE, to=manifest.expiry.previous_state, expiry=None)


def lifted(manifest: Manifest, by: str, now: datetime) -> Manifest:
    """The hold is taken away by a person: from now on the policy decides.

    Raises:
        RefusedError: when there is none.
    """
    if manifest.hold is None:
        raise _refused_error(manifest, "is under no hold", "Check the recovery point's id.")
    return manifest.with_hold(None, by, now)


def refuse_wanted(manifest: Manifest, now: datetime) -> None:
    """Refuse to take anything from a point that somebody wants.

    Raises:
        RefusedError: when it is under a hold or being read.
    """
    read_until = manifest.read_until(now)
    if read_until:
        todo = "The next `retention` after the restore's end looks at it again."
        raise _refused_error(manifest, f"is read by a restore until {read_until:%Y-%m-%d %H:%MZ} at the latest", todo)
    if manifest.hold and manifest.hold.is_active(now):
        raise _refused_error(
            manifest, f"is under a hold {manifest.hold.description}", "Lift the hold first, if it is yours to lift."
        )


def _refused_error(manifest: Manifest, what: str, todo: str) -> RefusedError:
    began = manifest.expiry is not None and manifest.expiry.deletion_began_at is not None
    return RefusedError(
        f"Recovery point {manifest.id} of tenant {manifest.tenant} {what}.",
        why="What its deletion had left of it was left as it is." if began else "It was left as it is.",
        todo=todo,
    )
