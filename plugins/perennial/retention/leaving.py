"""Takes a recovery point off the list of a shared snapshot's users.

By compare and swap, like every other change of that document: a point that joins at the same moment is on the list
before the last one leaves, or finds that nobody can join any more.
"""

from __future__ import annotations

from include.rules.points.parts import ClaimName
from include.rules.points.shared_snapshots import ShareState
from perennial.hooks.asynchronous import LoopLocks
from perennial.hooks.vault.tenant_lease import TenantLease

_turns = LoopLocks()
"""Tenants of one volume lose their points on the same days: in one process they change its document in turn."""


async def leave(lease: TenantLease, point_id: str, name: ClaimName) -> bool:
    """Take the point off the list; True when nobody is on it any more, so that its snapshot may go.

    A point that is not on the list, or a list that has gone, is left as it is. Whoever was fenced off in this moment
    does no harm: a point that was made again under the same id has joined under a later token.

    Raises:
        RefusedError: when the point has joined under a later token.
        PartError: when the document cannot be read.
    """
    async with _turns.of(name.volume):
        version = await lease.vault.shared_snapshot(*name)
        if version is None:
            return False
        if version.value.user(lease.tenant, point_id):
            await lease.check()
            version = await lease.vault.change_shared_snapshot(
                *name, lambda document: document.left(lease.tenant, point_id, lease.token), version
            )
        return version.value.state is ShareState.DELETING
