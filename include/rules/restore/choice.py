"""Which recovery point a restore takes, and into whose place it goes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from include.rules.errors import ConfigurationError, RefusedError
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName
from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.register.paths import overlap
from include.rules.register.register import Register
from include.rules.register.shared_volumes import have_folders_in_common
from include.rules.register.tenants import Tenant
from include.rules.restore.plan import RestorePlan
from include.rules.restore.request import RestoreRequest, RestoreScope


def choose_point(manifests: Iterable[Manifest], tenant: str, point_id: str | None) -> Manifest:
    """The recovery point to restore: the one that was asked for, or else the newest verified one.

    A safety point shows the state that somebody wanted to get away from, and a backup of a half restored tenant shows
    no consistent one: each is taken only when it is named.

    Raises:
        RefusedError: when it is not this tenant's, not there, or not verified; the message names the nearest that is.
    """
    own = sorted((m for m in manifests if m.tenant == tenant), key=_moment_and_id)
    verified = [manifest for manifest in own if manifest.state is State.VERIFIED]
    if not point_id:
        regular = [m for m in verified if m.kind is not Kind.SAFETY and not m.half_restored]
        if regular:
            return regular[-1]
        raise RefusedError(
            f"Tenant {tenant} has no verified recovery point.",
            why="There is nothing that is known to come back; nothing was restored.",
            todo=f"Name {_described(verified[-1])} if that is what you want."
            if verified
            else "Look at the tenant's failed backups, and mend what they say.",
        )
    chosen = next((manifest for manifest in own if manifest.id == point_id), None)
    if chosen is None:
        raise RefusedError(
            f"Tenant {tenant} has no recovery point {point_id!r}.",
            why="Nothing was restored.",
            todo=suggest_nearest(verified, None),
        )
    check_restorable(chosen, verified)
    return chosen


def note_passed_over(manifests: Iterable[Manifest], chosen: Manifest) -> str:
    """A sentence for the preview about verified points that show a half restored tenant; empty when there is none.

    Names the chosen one if it is such a point, else those newer than it.
    """
    if chosen.half_restored:
        return f"It was taken while restore {chosen.half_restored} had left the tenant HALF RESTORED."
    newer = [
        manifest
        for manifest in sorted(manifests, key=_moment_and_id)
        if manifest.half_restored
        and manifest.state is State.VERIFIED
        and _moment_and_id(manifest) > _moment_and_id(chosen)
    ]
    if not newer:
        return ""
    return (
        f"Passed over, because restore {newer[-1].half_restored} had left the tenant half restored when they were "
        f"taken: {', '.join(m.id for m in newer)}. Name one as the recovery point to restore it all the same."
    )


def check_scope(request: RestoreRequest, manifest: Manifest) -> None:
    """Refuse to restore a half that a safety point does without, because its own restore did not touch it.

    Raises:
        RefusedError: which says what to restore instead.
    """
    no_files = PartName.WEB_SNAPSHOT in manifest.left_out
    no_database = {PartName.DB_SNAPSHOT, PartName.BAK} <= set(manifest.left_out)
    if (request.takes_files and no_files) or (request.takes_database and no_database):
        half, missing = (
            (RestoreScope.DATABASE, PartName.WEB_SNAPSHOT) if no_files else (RestoreScope.FILES, PartName.DB_SNAPSHOT)
        )
        reason = manifest.left_out[missing]
        raise RefusedError(
            f"Recovery point {manifest.id} of tenant {manifest.tenant} holds the {half} only: {reason}.",
            why=f"{request.what.capitalize()} cannot be restored from it; nothing was restored.",
            todo=f"Set what to {str(half)!r}.",
        )


def check_own_place(plan: RestorePlan, register: Register | None) -> None:
    """Refuse a place that is another tenant's in the register: the manifest of a tenant that was renamed or removed
    remembers it as that tenant's own.

    Raises:
        RefusedError: when what the restore writes to (the marker included) belongs to another tenant.
    """
    target = plan.target
    for tenant in register.tenants.values() if register else ():
        if tenant.id == target.id:
            continue
        web, database = tenant.web, tenant.database
        folders = {plan.folder, target.web.path if plan.overwrites else None} - {None}
        shared = [f for f in folders if f and web.instance == target.web.instance and overlap(f, web.path)]
        shared += [target.web.path] if plan.overwrites and have_folders_in_common(target, tenant) else []
        if plan.database and database.connection == target.database.connection:
            shared += [database.name] if database.name.lower() == plan.database.lower() else []
        if shared:
            raise RefusedError(
                f"{shared[0]}, where tenant {target.id} was to be restored, belongs to tenant {tenant.id} today.",
                why=f"The restore would overwrite what is tenant {tenant.id}'s; nothing was restored.",
                todo=f"If {target.id} is now {tenant.id}, set into_tenant to {tenant.id}; else restore into a folder "
                "and a database of other names, or correct the register.",
            )


def check_restorable(manifest: Manifest, known: Iterable[Manifest] = ()) -> None:
    """Refuse a point that may not be whole.

    Raises:
        RefusedError: when it is not verified; the message names the nearest of `known` that is.
    """
    if manifest.state is State.VERIFIED:
        return
    reason = f" ({manifest.failure})" if manifest.failure else ""
    hold = "`hold_recovery_point` takes it back, with all its parts; then it can be restored. "
    raise RefusedError(
        f"Recovery point {manifest.id} of tenant {manifest.tenant} is {manifest.state}, not verified{reason}.",
        why="Retention is taking it away; nothing was restored."
        if manifest.state in (State.EXPIRING, State.EXPIRED)
        else "It may not be whole; nothing was restored.",
        todo=(hold if manifest.comes_back_as is State.VERIFIED else "")
        + suggest_nearest([m for m in known if m.id != manifest.id], _moment_and_id(manifest)[0]),
    )


def suggest_nearest(manifests: Iterable[Manifest], moment: datetime | None) -> str:
    """A sentence that names the verified point nearest to `moment`, or the newest one."""
    verified = sorted((m for m in manifests if m.state is State.VERIFIED), key=_moment_and_id)
    if not verified:
        return "The tenant has no verified one."
    if moment is None:
        return f"The newest verified one is {verified[-1].id}."
    best = min(verified, key=lambda m: abs(_moment_and_id(m)[0] - moment))
    return f"The nearest verified one is {best.id}, of {_moment_and_id(best)[0]:%Y-%m-%d %H:%M} UTC."


def target_of(request: RestoreRequest, register: Register | None, manifest: Manifest) -> Tenant:
    """The tenant whose place the restore goes to, as the register describes it today.

    Where there is no register, or it no longer knows the tenant, the place is the one that the manifest remembers: the
    vault alone has to be enough.

    Raises:
        ConfigurationError: when another tenant's place is wanted and nobody knows it.
    """
    unknown = register is None or not register.mentions(request.target)
    if unknown and request.target == manifest.tenant:
        return manifest.source
    if register is None:
        raise ConfigurationError(
            f"There is no register that says where tenant {request.target} lives.",
            why=f"A recovery point of tenant {manifest.tenant} can only go to its own place; nothing was restored.",
            todo="Leave into_tenant empty, or put tenants.yaml back in place.",
        )
    return register.tenant(request.target)


def is_registered(tenant: str, register: Register | None) -> bool:
    """True when the register knows the tenant."""
    return register is not None and tenant in register.tenants


def _described(manifest: Manifest) -> str:
    if manifest.kind is Kind.SAFETY:
        return f"its safety point {manifest.id}"
    return f"{manifest.id}, taken while restore {manifest.half_restored} had left the tenant half restored,"


def _moment_and_id(manifest: Manifest) -> tuple[datetime, str]:
    return manifest.time or manifest.opened_at, manifest.id
