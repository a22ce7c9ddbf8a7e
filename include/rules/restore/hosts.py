"""Whether the hosts of a restore can do what it asks of them: take volumes, and take the site offline."""

from __future__ import annotations

from collections import Counter

from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotRole, host_of
from include.rules.register.tenants import Tenant, WebHost
from include.rules.restore.devices import free_devices
from include.rules.restore.host_survey import HostSurvey
from include.rules.restore.plan import RestorePlan
from include.rules.restore.survey import not_restorable


def check_hosts(plan: RestorePlan, manifest: Manifest, survey: HostSurvey) -> None:
    """Refuse what would fail on a host once the restore has begun.

    Raises:
        RefusedError: with the reason.
    """
    _check_volumes(plan, manifest, survey)
    web = plan.target.web
    if plan.overwrites and survey.site and not survey.site.writable:
        raise not_restorable(
            manifest,
            f"the site cannot be taken offline: nothing can be written into {web.path} on {web.instance} (a read-only "
            "file system, or a locked folder)",
            "Make it writable, then start the restore again.",
        )


def _check_volumes(plan: RestorePlan, manifest: Manifest, survey: HostSurvey) -> None:
    needed = Counter(host_of(plan.target, role).instance for role in plan.snapshots)
    for role in plan.snapshots:
        host = host_of(plan.target, role)
        attached = survey.volumes.get(host.instance)
        if attached is None:
            continue
        if attached.zone != host.zone:
            raise not_restorable(
                manifest,
                f"host {host.instance} is in {attached.zone}, and {_of(plan.target, role)} says {host.zone}: a volume "
                "from there could not be attached",
                "Correct the zone in the register.",
            )
        free = free_devices(attached.devices, host.platform)
        if len(free) < needed[host.instance]:
            raise not_restorable(
                manifest,
                f"host {host.instance} has {len(free) or 'no'} free device names for {needed[host.instance]} volumes",
                "Detach a volume that the host no longer needs.",
            )


def _of(target: Tenant, role: SnapshotRole) -> str:
    return f"{'web' if isinstance(host_of(target, role), WebHost) else 'database'}.zone of tenant {target.id}"
