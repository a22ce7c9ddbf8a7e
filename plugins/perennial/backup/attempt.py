"""An attempt at a recovery point: begun by whoever opens it, ended by whoever closes it.

It deletes nothing: what earlier attempts have left over is retention's to sweep.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from include.rules.backup.attempts import first_attempt, next_attempt, resumed
from include.rules.errors import PerennialError
from include.rules.points.manifest import Manifest
from include.rules.points.requests import BackupRequest
from include.rules.points.transitions import State
from include.rules.register.tenants import Tenant
from perennial.backup.leaving import leave_dropped
from perennial.backup.lock import lock_parts
from perennial.hooks.asynchronous import Fence
from perennial.hooks.sql_server.errors import SqlServerError
from perennial.hooks.sql_server.server import SqlServer
from perennial.hooks.vault.collection import Versioned
from perennial.hooks.vault.leased import LeasedPoint
from perennial.hooks.vault.tenant_lease import TenantLease
from perennial.settings import Settings


async def begin_attempt(
    lease: TenantLease,
    current: Versioned[Manifest] | None,
    request: BackupRequest,
    tenant: Tenant,
    *,
    note: str = "",
    **changes: Any,
) -> LeasedPoint:
    """Claim the recovery point's id, go on with this run's own attempt, or begin the next one.

    Args:
        current: The manifest as it stands; None when there is none.
        note: For the manifest of a first attempt.
        changes: Further fields of the manifest.

    Raises:
        RefusedError: when the point is verified, or retention is taking it away.
    """
    points, owner, token, now = lease.vault.points, lease.owner, lease.token, datetime.now(UTC)
    if current is None:
        first = first_attempt(request, tenant, owner=owner, token=token, now=now, note=note)
        return LeasedPoint(lease, await points.create(first.model_copy(update=changes)))
    before, restored = current.value, lease.restored
    manifest = resumed(before, owner=owner, token=token, now=now, restored=restored) or next_attempt(
        before, tenant, owner=owner, token=token, now=now, restored=restored
    )
    point = LeasedPoint(lease, await points.replace(manifest.model_copy(update=changes), current.etag))
    await leave_dropped(point, before)
    return point


def ended(manifest: Manifest, now: datetime) -> Manifest:
    """A verified point whose attempt is over; one whose parts are to be locked is closed when that is done."""
    return manifest if manifest.to_lock_until else manifest.closed(now)


def is_ended(manifest: Manifest) -> bool:
    """True when nothing is left to do for a verified point but to give the lease back."""
    return manifest.state is State.VERIFIED and manifest.closed_at is not None and not manifest.to_lock_until


async def end_attempt(point: LeasedPoint) -> None:
    """Stop what still runs for the attempt, write the point's final state, and lock the parts of a verified one."""
    manifest = point.manifest
    if manifest.parts.bak is None:
        with suppress(SqlServerError, PerennialError):  # a server that is down runs no backup either
            await stop_backup(manifest, point.vault.settings, point.lease.check)
    if manifest.closed_at is None:
        manifest = await point.change(lambda m: m.closed(datetime.now(UTC)))
    if manifest.state is State.VERIFIED:
        await lock_parts(point)


def backup_session(manifest: Manifest, settings: Settings) -> str:
    """What the session of SQL Server calls itself that makes the point's .bak; every attempt's the same."""
    return settings.run_label(manifest.id)


async def stop_backup(manifest: Manifest, settings: Settings, fence: Fence | None = None) -> None:
    """End the session that makes the point's .bak, if it is there.

    Args:
        fence: As of `SqlServer`.

    Raises:
        SqlServerError: when the server does not answer, or refuses.
    """
    if manifest.claim:
        server = SqlServer(manifest.source.database.connection, fence=fence)
        await server.kill_sessions_of(backup_session(manifest, settings))
