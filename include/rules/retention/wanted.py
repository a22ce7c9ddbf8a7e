"""Which shared snapshots recovery points need, whatever the lists say, and of which nobody knows while a tenant cannot
be looked at: a list may have been edited by hand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from include.rules.points.left_over import volumes_of
from include.rules.points.manifest import Manifest
from include.rules.points.parts import ClaimName
from include.rules.points.transitions import State
from include.rules.register.register import Register
from include.rules.retention.shared import SharedEntry


def needs_parts(manifest: Manifest) -> bool:
    """True until the point's deletion has begun: one in its grace period may come back, and what a failed one has is
    wanted for diagnosis. Afterwards only for what a hold has spared.
    """
    if manifest.state is State.EXPIRED:
        return False
    began = manifest.expiry is not None and manifest.expiry.deletion_began_at is not None
    return manifest.hold is not None or not began


class WantedSnapshots:
    """The shared snapshots that the points need which one run has looked at.

    Attributes:
        unsure: Tenants whose points are not all known, because a look at them has failed or not come to its end, and
            the volumes on which points of theirs are known to be.
        snapshot_ids: Ids of the shared snapshots that manifests name.
    """

    def __init__(self) -> None:
        self.unsure = dict[str, set[str]]()
        self._volumes = dict[str, set[str]]()
        self.snapshot_ids = set[str]()
        self._lasting = set[ClaimName]()
        self._of_expiring = dict[tuple[str, str], frozenset[ClaimName]]()  # only these may go in the same run

    def begin_look(self, tenant: str) -> None:
        """Not all points of the tenant are known until `end_look`; what an earlier look has found of them is, also
        where this one reads only what has changed since.
        """
        self.unsure[tenant] = self._volumes.setdefault(tenant, set())

    def end_look(self, tenant: str) -> None:
        """All points of the tenant could be looked at."""
        del self.unsure[tenant]

    def note(self, manifest: Manifest) -> None:
        """Take note of what a point needs, or needs no longer, and of where it is."""
        self._volumes.setdefault(manifest.tenant, set()).update(volumes_of(manifest))
        self.snapshot_ids.update(part.snapshot_id for part in manifest.parts.snapshots if part.claim)
        if manifest.state not in (State.EXPIRING, State.EXPIRED):
            self._lasting |= manifest.parts.claims
        elif needs_parts(manifest):
            self._of_expiring[manifest.tenant, manifest.id] = manifest.parts.claims
        else:
            self._of_expiring.pop((manifest.tenant, manifest.id), None)

    @property
    def claims(self) -> frozenset[ClaimName]:
        """All that is needed by a point."""
        return frozenset(self._lasting).union(*self._of_expiring.values())


def volumes_in_doubt(
    unsure: Mapping[str, Collection[str]],
    entries: Iterable[SharedEntry],
    unread: Iterable[ClaimName],
    register: Register,
) -> dict[str, set[str]]:
    """Volumes whose snapshots may be needed by points that nobody could look at, and whose those are.

    The documents name everybody who may ever have been on their lists, also where a list was edited: nobody joins who
    was not looked at before the snapshot was asked for.

    Args:
        unsure: As `WantedSnapshots.unsure`.
        entries: All shared snapshots of the vault.
        unread: Those whose documents cannot be read: nobody knows whom they name.
    """
    in_doubt = defaultdict[str, set[str]](set)
    for tenant, known in unsure.items():
        entry = register.tenants.get(tenant)
        for volume in {*known, *((entry.web.volume, entry.database.volume) if entry else ())}:
            in_doubt[volume].add(tenant)
    for shared in entries:
        if tenants := shared.tenants & unsure.keys():
            in_doubt[shared.name.volume] |= tenants
    for name in unread if unsure else ():
        in_doubt[name.volume] |= unsure.keys()
    return dict(in_doubt)
