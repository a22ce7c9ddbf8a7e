"""Shared snapshots as retention looks at them: whose points are on which list, which of them have to leave it, and what
may be deleted once nobody is on it any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from sys import intern

from include.rules.points.manifest import Manifest
from include.rules.points.parts import ClaimName
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState
from include.rules.points.transitions import WHOLE, State

LAG = timedelta(hours=1)
"""For so long a look-up of EBS may not show a snapshot that was just asked for, and whoever asked may not know it."""

BYTES_STAY = (
    "The tenant has left: its bytes stay in the snapshots of its volumes until the last of their users has left them, "
    "and the report of every run of the fleet says in how many (docs/vault.md, Data protection)."
)


@dataclass(frozen=True, slots=True)
class SharedEntry:
    """One shared snapshot, as little of it as a fleet of them needs in memory.

    Attributes:
        tags: Values of the tag of everything that its claim has ever asked for.
        users: Tenant and recovery point of each of its users.
        tenants: Who may ever have been on its list: its users and everybody who was looked at. The bytes of others may
            be in it as well.
    """

    name: ClaimName
    tags: tuple[str, ...]
    state: ShareState
    snapshot_id: str | None
    users: tuple[tuple[str, str], ...]
    tenants: frozenset[str]

    @classmethod
    def of(cls, document: SharedSnapshot) -> SharedEntry:
        """What retention needs of the document."""
        users = tuple((intern(user.tenant), intern(user.point)) for user in document.users)
        seen = (intern(look.tenant) for look in document.looks.values())
        return cls(
            ClaimName(intern(document.volume), intern(document.id)),
            document.tags,
            document.state,
            document.snapshot_id,
            users,
            frozenset([*(tenant for tenant, _ in users), *seen]),
        )


def lists_to_leave(manifest: Manifest, lists: Iterable[SharedEntry]) -> tuple[ClaimName, ...]:
    """On which of these lists, which name the recovery point, it is without using the snapshot: a run has died between
    joining and recording it, or a later attempt has replaced it.

    Only a complete point is asked: what an attempt that has failed has joined is wanted for diagnosis and goes with the
    point, and what an edited manifest no longer names may be the only copy. A claim that has never come to a snapshot
    is of no use to anybody once its point has failed.
    """
    own = manifest.parts.claims
    others = [entry for entry in lists if entry.name not in own]
    if manifest.state is State.FAILED:
        return tuple(entry.name for entry in others if entry.state is ShareState.CLAIMED)
    complete = manifest.state in WHOLE and not manifest.missing()
    return tuple(entry.name for entry in others) if complete else ()


def is_extra(snapshot_id: str, started_at: datetime, document: SharedSnapshot, now: datetime) -> bool:
    """True for a snapshot with the tag of a claim that has another one: an answer was lost, or a look-up lagged.

    Args:
        now: By the store's clock.
    """
    return document.snapshot_id not in (None, snapshot_id) and now - started_at >= LAG


def may_be_forgotten(document: SharedSnapshot, written_at: datetime, now: datetime) -> bool:
    """True when the document of a snapshot that has gone may go, too.

    Its name must not come again: names are those of a UTC day, and a run that has read this document could take
    the next one of the name for it. And where nobody knows of a snapshot, one that was asked for may still turn up.

    Args:
        written_at, now: By the store's clock.
    """
    day = datetime.strptime(document.id.partition("-")[0], "%Y%m%d").replace(tzinfo=UTC)
    settled = document.snapshot_id is not None or now - written_at >= LAG
    return settled and now >= day + timedelta(days=1) + LAG


def has_settled(written_at: datetime, now: datetime) -> bool:
    """True for a list on which points that were deleted stand for no good reason: whoever brings a point back by hand
    brings back several documents, and needs a while.

    Args:
        written_at, now: By the store's clock.
    """
    return now - written_at >= LAG


def place_of(point: str, name: ClaimName) -> str:
    """What a point has left, in words."""
    return f"the place of {point} in shared snapshot {name}"


def buried_note(point: str, names: Iterable[ClaimName]) -> str:
    """A point that was deleted, and is on lists all the same."""
    return (
        f"Recovery point {point} was deleted, and is on the lists of shared snapshots ({', '.join(map(str, names))}): "
        "somebody has brought those back. The runs of the fleet take it off each that was not written for an hour."
    )


def to_go_note(name: ClaimName) -> str:
    """A shared snapshot whose last user has left it in a run for one tenant."""
    return (
        f"Nobody is on the list of shared snapshot {name} any more: the next `retention` of the whole fleet deletes it "
        "after a look at all tenants' points."
    )
