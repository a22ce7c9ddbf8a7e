"""Which recovery point a restore takes, and into whose place it goes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from include.backups.errors import ConfigurationError, RefusedError
from include.backups.recovery_points import Manifest, State
from include.backups.register import Register
from include.backups.requests import Kind
from include.backups.restore_requests import RestoreRequest
from include.backups.tenants import Tenant


def choose_point(manifests: Iterable[Manifest], tenant: str, wanted: str | None) -> Manifest:
    """The recovery point to restore: the one that was asked for, or else the newest verified one.

    A safety point shows the state that somebody wanted to get away from, so it is taken only when it is named.

    Raises:
        RefusedError: when it is not this tenant's, not there, or not verified; the message names the nearest that is.
    """
    own = sorted((m for m in manifests if m.tenant == tenant), key=_moment_and_id)
    verified = [manifest for manifest in own if manifest.state is State.VERIFIED]
    if not wanted:
        regular = [manifest for manifest in verified if manifest.kind is not Kind.SAFETY]
        if regular:
            return regular[-1]
        raise RefusedError(
            f"Tenant {tenant} has no verified recovery point.",
            why="There is nothing that is known to come back; nothing was restored.",
            todo=f"Name its safety point {verified[-1].id} if that is what you want."
            if verified
            else "Look at the tenant's failed backups, and mend what they say.",
        )
    chosen = next((manifest for manifest in own if manifest.id == wanted), None)
    if chosen is None:
        raise RefusedError(
            f"Tenant {tenant} has no recovery point {wanted!r}.",
            why="Nothing was restored.",
            todo=nearest(verified, None),
        )
    check_restorable(chosen, verified)
    return chosen


def check_restorable(point: Manifest, known: Iterable[Manifest] = ()) -> None:
    """Refuse a point that may not be whole.

    Raises:
        RefusedError: when it is not verified; the message names the nearest of `known` that is.
    """
    if point.state is State.VERIFIED:
        return
    reason = f" ({point.failure})" if point.failure else ""
    raise RefusedError(
        f"Recovery point {point.id} of tenant {point.tenant} is {point.state}, not verified{reason}.",
        why="Retention is taking it away; nothing was restored."
        if point.state in (State.EXPIRING, State.EXPIRED)
        else "It may not be whole; nothing was restored.",
        todo=nearest([m for m in known if m.id != point.id], _moment_and_id(point)[0]),
    )


def nearest(points: Iterable[Manifest], moment: datetime | None) -> str:
    """A sentence that names the verified point nearest to `moment`, or the newest one."""
    verified = sorted((m for m in points if m.state is State.VERIFIED), key=_moment_and_id)
    if not verified:
        return "The tenant has no verified one."
    if moment is None:
        return f"The newest verified one is {verified[-1].id}."
    best = min(verified, key=lambda m: abs(_moment_and_id(m)[0] - moment))
    return f"The nearest verified one is {best.id}, of {_moment_and_id(best)[0]:%Y-%m-%d %H:%M} UTC."


def target_of(request: RestoreRequest, register: Register | None, point: Manifest) -> Tenant:
    """The tenant whose place the restore goes to, as the register describes it today.

    Where there is no register, or it no longer knows the tenant, the place is the one that the manifest remembers: the
    vault alone has to be enough.

    Raises:
        ConfigurationError: when another tenant's place is wanted and nobody knows it.
    """
    unknown = register is None or (
        request.target not in register.tenants
        and not any(problem.entry == f"tenant {request.target}" for problem in register.problems)
    )
    if unknown and request.target == point.tenant:
        return point.source
    if register is None:
        raise ConfigurationError(
            f"There is no register that says where tenant {request.target} lives.",
            why=f"A recovery point of tenant {point.tenant} can only go to its own place; nothing was restored.",
            todo="Leave into_tenant empty, or put tenants.yaml back in place.",
        )
    return register.tenant(request.target)


def _moment_and_id(manifest: Manifest) -> tuple[datetime, str]:
    return manifest.time or manifest.opened_at, manifest.id
