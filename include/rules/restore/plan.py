"""The plan of a restore: what comes back, where to, what it overwrites, and who has to approve it.

A preview decides it from what was asked and from what was found, before anything is touched; the steps only carry it
out. Whatever must not be done is refused here.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from include.rules.points.database_settings import DatabaseSettings
from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotRole
from include.rules.register.tenants import Strict, Tenant
from include.rules.restore.database_obstacles import check_obstacles
from include.rules.restore.databases import ATTACHABLE, check_database_name, database_source, why_unsavable
from include.rules.restore.folders import check_files, check_folder, paths_for
from include.rules.restore.request import DatabaseSource, RestoreRequest, RestoreScope
from include.rules.restore.settings import check_server_takes, is_own_place, keeps_cdc, wanted_settings
from include.rules.restore.survey import Survey


class RestorePlan(Strict):
    """What one restore does.

    Attributes:
        source: The tenant whose recovery point comes back.
        target: The tenant whose place it goes to, as it was known when the plan was made.
        folder: Where the files go; None when none do.
        database: The name under which the database comes back; None when it does not.
        paths: Only these files and folders; empty for all.
        replaces_files, replaces_database: True when the target's own are overwritten.
        why_unsavable: Why no safety point can keep the database that is overwritten; empty when one can, or when none
            is overwritten. Stored as `loses_database`.
        database_settings: What should lie around the database's data when it is back; None where nobody knows.
        etags: Of the stripes of the .bak as the preview has read them; empty when nobody knows.
        keep_cdc: True when the restore is to keep change data capture.
        approvals: Why somebody has to approve it; empty when nobody has to.
        parts: What the recovery point held when the plan was made (`Parts.identities`); empty in plans of before.
    """

    source: str
    recovery_point: str
    target: Tenant
    what: RestoreScope
    folder: str | None = None
    database: str | None = None
    database_from: DatabaseSource = DatabaseSource.BACKUP_FILE
    paths: tuple[str, ...] = ()
    replaces_files: bool = False
    replaces_database: bool = False
    why_unsavable: str = Field(default="", validation_alias="loses_database", serialization_alias="loses_database")
    database_settings: DatabaseSettings | None = None
    etags: tuple[str, ...] = ()
    keep_cdc: bool = False
    approvals: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def overwrites(self) -> bool:
        """True when the tenant's site is touched: it goes offline, and a safety point is taken first."""
        return self.replaces_files or self.replaces_database

    @property
    def snapshots(self) -> tuple[SnapshotRole, ...]:
        """The snapshots that are needed as volumes."""
        database = self.database is not None and self.database_from is DatabaseSource.SNAPSHOT
        needed = {SnapshotRole.WEB: self.folder is not None, SnapshotRole.DATABASE: database}
        return tuple(role for role, is_needed in needed.items() if is_needed)


def roles_kept_safe(plan: RestorePlan, database_state: str) -> tuple[SnapshotRole, ...]:
    """The volumes of which the restore's safety point will hold a snapshot.

    Args:
        database_state: Of the database that is overwritten, as sys.databases names it; empty when there is none.
    """
    has_database = database_state == "ONLINE" or database_state in ATTACHABLE
    held = {
        SnapshotRole.WEB: plan.replaces_files,
        SnapshotRole.DATABASE: plan.replaces_database and has_database and not plan.why_unsavable,
    }
    return tuple(role for role, is_held in held.items() if is_held)


def plan_restore(
    request: RestoreRequest,
    manifest: Manifest,
    target: Tenant,
    survey: Survey,
    others: Mapping[str, Tenant],
    suggestion: str,
) -> RestorePlan:
    """Decide what the restore does.

    Args:
        request: What was asked.
        manifest: The recovery point that was chosen.
        target: The tenant whose place it goes to.
        survey: What was found.
        others: All tenants of the register.
        suggestion: A sentence that names the nearest other recovery point.

    Raises:
        RefusedError: when it must not or cannot be done.
    """
    folder = (request.folder or target.web.path) if request.takes_files else None
    database = (request.database or target.database.name) if request.takes_database else None
    paths = paths_for(request, target)
    if folder:
        check_files(request, manifest, target, folder, survey, others, suggestion)
        # In place, a link into the tenant's own folder leads to what is to be overwritten anyway.
        own = {} if request.folder is None else {target.id: target}
        foreign = {**{name: other for name, other in others.items() if name != target.id}, **own}
        check_folder(manifest, target, folder, paths, survey.host.folder, foreign.values())
    source, approvals, unsavable = DatabaseSource.BACKUP_FILE, _approvals(request, target), ""
    found, settings = survey.database, None
    if database:
        settings = wanted_settings(manifest, found.settings, in_place=is_own_place(manifest, target.database, database))
        check_server_takes(manifest, settings, found.server, target.database.connection, suggestion)
        check_database_name(request, target, database, survey, others)
        source, why = database_source(request, manifest, survey, suggestion)
        approvals += [why] if why else []
        check_obstacles(survey.database, manifest, target, database, source, replaces=request.database is None)
        if request.database is None:
            unsavable = why_unsavable(target.database, survey.database.state, survey.database.files)
        approvals += [f"the database that is overwritten cannot be kept safe before: {unsavable}"] if unsavable else []
    return RestorePlan(
        source=manifest.tenant,
        recovery_point=manifest.id,
        target=target,
        what=request.what,
        folder=folder,
        database=database,
        database_from=source,
        paths=paths,
        replaces_files=folder is not None and request.folder is None,
        replaces_database=database is not None and request.database is None,
        why_unsavable=unsavable,
        database_settings=settings,
        etags=found.backup.etags if found.backup and source is DatabaseSource.BACKUP_FILE else (),
        keep_cdc=keeps_cdc(settings, found.server),
        approvals=tuple(approvals),
        parts=manifest.parts.identities,
    )


def _approvals(request: RestoreRequest, target: Tenant) -> list[str]:
    reasons = []
    if request.approval:
        reasons.append("the request asks for it")
    if target.plan.restore_approval:
        reasons.append(f"the plan {target.plan.name} asks for it")
    if request.target != request.tenant:
        reasons.append(f"what belongs to tenant {request.tenant} goes into the place of tenant {request.target}")
    return reasons
