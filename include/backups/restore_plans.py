"""The plan of a restore: what comes back, where to, what it overwrites, and who has to approve it.

A preview decides it from what was asked and from what was found, before anything is touched; the steps only carry it
out. Whatever must not be done is refused here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from include.backups.backup_files import DatabaseFile
from include.backups.errors import RefusedError
from include.backups.recovery_points import Manifest, SnapshotRole
from include.backups.restore_requests import DatabaseSource, RestoreRequest, What
from include.backups.tenants import DatabaseHost, Platform, Strict, Tenant, WebHost

ATTACHABLE = frozenset({"OFFLINE", "SUSPECT", "RECOVERY_PENDING", "RECOVERING", "EMERGENCY"})
"""States of a database (sys.databases) whose files are at least what a power cut would have left."""


class RestorePlan(Strict):
    """What one restore does.

    Attributes:
        source: The tenant whose recovery point comes back.
        target: The tenant whose place it goes to, as it was known when the plan was made.
        folder: Where the files go; None when none do.
        database: The name under which the database comes back; None when it does not.
        paths: Only these files and folders; empty for all.
        replaces_files, replaces_database: True when the target's own are overwritten.
        loses_database: Why the database that is overwritten cannot be kept safe first; empty when it can.
        approvals: Why somebody has to approve it; empty when nobody has to.
    """

    source: str
    recovery_point: str
    target: Tenant
    what: What
    folder: str | None = None
    database: str | None = None
    database_from: DatabaseSource = DatabaseSource.BACKUP_FILE
    paths: tuple[str, ...] = ()
    replaces_files: bool = False
    replaces_database: bool = False
    loses_database: str = ""
    approvals: tuple[str, ...] = ()

    @property
    def overwrites(self) -> bool:
        """True when the tenant's site is touched: it goes offline, and a safety point is taken first."""
        return self.replaces_files or self.replaces_database

    @property
    def snapshots(self) -> tuple[SnapshotRole, ...]:
        """The snapshots that are needed as volumes."""
        database = self.database is not None and self.database_from is DatabaseSource.SNAPSHOT
        wanted = {SnapshotRole.WEB: self.folder is not None, SnapshotRole.DATABASE: database}
        return tuple(role for role, needed in wanted.items() if needed)


@dataclass(frozen=True)
class FolderFacts:
    """What a host says about a folder; `files` and `bytes` are None when counting them took too long.

    Attributes:
        no_folder: True when something that is no folder has its name.
        real: Where it really is, when symbolic links lead to it; empty when the host did not say.
        mounts: Mount points below it, relative to it: other disks show there.
    """

    exists: bool
    empty: bool
    files: int | None
    bytes: int | None
    free_bytes: int
    no_folder: bool = False
    real: str = ""
    mounts: tuple[str, ...] = ()

    def leads_elsewhere(self, folder: str) -> bool:
        """True when symbolic links lead from the path `folder` to another one."""
        return self.real != "" and _pure(self.real) != _pure(folder)


@dataclass(frozen=True)
class Survey:
    """What was found before anything was touched.

    Attributes:
        folder: Of the folder the files go to; None when no files do.
        database_state: State of the database of that name on the server, empty when there is none.
        database_bytes: Size of its files.
        database_files: Where they lie.
        backup_file: Why the .bak cannot be restored from; empty when it can.
        snapshots: Why a snapshot cannot be used, by role; those that can are not in it.
    """

    folder: FolderFacts | None = None
    database_state: str = ""
    database_bytes: int = 0
    database_files: tuple[DatabaseFile, ...] = ()
    backup_file: str = ""
    snapshots: Mapping[SnapshotRole, str] | None = None


def plan_restore(
    request: RestoreRequest, point: Manifest, target: Tenant, survey: Survey, others: Mapping[str, Tenant], better: str
) -> RestorePlan:
    """Decide what the restore does.

    Args:
        request: What was asked.
        point: The recovery point that was chosen.
        target: The tenant whose place it goes to.
        survey: What was found.
        others: All tenants of the register.
        better: A sentence that names the nearest other recovery point.

    Raises:
        RefusedError: when it must not or cannot be done.
    """
    folder = (request.folder or target.web.path) if request.files else None
    database = (request.database or target.database.name) if request.takes_database else None
    paths = _paths_for(request, target)
    if folder:
        _check_files(request, point, target, folder, survey, others, better)
        # In place, a link into the tenant's own folder leads to what is to be overwritten anyway.
        own = {} if request.folder is None else {target.id: target}
        foreign = {**{name: other for name, other in others.items() if name != target.id}, **own}
        _check_folder(point, target, folder, paths, survey.folder, foreign.values())
    way, approvals, loses = DatabaseSource.BACKUP_FILE, _approvals(request, target), ""
    if database:
        _check_database_name(request, target, database, survey, others)
        way, why = _way_back(request, point, survey, better)
        approvals += [why] if why else []
        if request.database is None:
            loses = not_to_be_kept(target.database, survey.database_state, survey.database_files)
        approvals += [f"the database that is overwritten cannot be kept safe before: {loses}"] if loses else []
    return RestorePlan(
        source=point.tenant,
        recovery_point=point.id,
        target=target,
        what=request.what,
        folder=folder,
        database=database,
        database_from=way,
        paths=paths,
        replaces_files=folder is not None and request.folder is None,
        replaces_database=database is not None and request.database is None,
        loses_database=loses,
        approvals=tuple(approvals),
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


def _check_files(
    request: RestoreRequest,
    point: Manifest,
    target: Tenant,
    folder: str,
    survey: Survey,
    others: Mapping[str, Tenant],
    better: str,
) -> None:
    unusable = (survey.snapshots or {}).get(SnapshotRole.WEB)
    if unusable:
        raise _refused(point, f"the files cannot come back: {unusable}", better)
    if point.source.web.platform is not target.web.platform:
        was, now = point.source.web.platform, target.web.platform
        raise _refused(point, f"its files are from a {was} host, and {target.web.instance} runs {now}", better)
    if request.folder is None:
        return
    if _is_windows(folder) is not (target.web.platform is Platform.WINDOWS):
        raise _refused(
            point,
            f"{folder} is no path of {target.web.instance}, which runs {target.web.platform}",
            "Name a folder as that host writes it.",
        )
    for tenant in {**others, target.id: target}.values():
        if tenant.web.instance == target.web.instance and overlap(folder, tenant.web.path):
            raise _refused(
                point,
                f"the folder {folder} overlaps {tenant.web.path}, where tenant {tenant.id} lives",
                "Name a folder of its own, or leave it empty to restore in place.",
            )
    if survey.folder and survey.folder.free_bytes <= 0:
        raise _refused(
            point, f"the disk of {folder} on {target.web.instance} is full", "Make room, or name a folder elsewhere."
        )
    if survey.folder and survey.folder.exists and not survey.folder.empty:
        raise _refused(
            point,
            f"the folder {folder} on {target.web.instance} is not empty, and what is in it would be gone",
            "Name a new folder.",
        )


def _paths_for(request: RestoreRequest, target: Tenant) -> tuple[str, ...]:
    """The chosen paths with forward slashes; on Linux a backslash is a character of a name like any other."""
    if target.web.platform is Platform.LINUX:
        return request.paths
    return tuple(str(PurePosixPath(path.replace("\\", "/"))) for path in request.paths)


def _check_folder(
    point: Manifest,
    target: Tenant,
    folder: str,
    paths: tuple[str, ...],
    facts: FolderFacts | None,
    foreign: Iterable[Tenant],
) -> None:
    """Refuse a folder that is not what its path says: a file, a way to another place, or partly on another disk."""
    if facts is None:
        return
    if facts.no_folder:
        todo = "Move away what is there, or name another folder."
        raise _refused(point, f"{folder} on {target.web.instance} is no folder", todo)
    for tenant in foreign if facts.leads_elsewhere(folder) else ():
        if tenant.web.instance == target.web.instance and overlap(facts.real, tenant.web.path):
            raise _refused(
                point,
                f"{folder} leads to {facts.real}, which overlaps {tenant.web.path}, where tenant {tenant.id} lives",
                "Change the symbolic link, or name another folder.",
            )
    for mount in facts.mounts:
        if not paths or any(is_below(mount, path) for path in paths):
            raise _refused(
                point,
                f"another disk is mounted on {mount} in {folder}, and its files, which the snapshot does not have, "
                "would be gone",
                "Unmount it for the restore, or restore only the paths that do not hold it.",
            )


def _check_database_name(
    request: RestoreRequest, target: Tenant, database: str, survey: Survey, others: Mapping[str, Tenant]
) -> None:
    if request.database is None:
        return
    for tenant in {**others, target.id: target}.values():
        same_server = tenant.database.connection == target.database.connection
        if same_server and tenant.database.name.lower() == database.lower():
            raise RefusedError(
                f"{database} is the database of tenant {tenant.id} on {target.database.connection}.",
                why="A restore under another name never overwrites; nothing was restored.",
                todo="Choose a name that is free, or leave it empty to restore in place.",
            )
    if survey.database_state:
        raise RefusedError(
            f"There is a database {database} on {target.database.connection} already ({survey.database_state}).",
            why="A restore under another name never overwrites; nothing was restored.",
            todo="Choose a name that is free, or drop that database first.",
        )


def _way_back(request: RestoreRequest, point: Manifest, survey: Survey, better: str) -> tuple[DatabaseSource, str]:
    """What the database is brought back from, and why that has to be approved (empty when it need not be)."""
    if request.database_from is DatabaseSource.BACKUP_FILE and not survey.backup_file:
        return DatabaseSource.BACKUP_FILE, ""
    unusable = (survey.snapshots or {}).get(SnapshotRole.DATABASE) or _files_not_found(
        point.source.database, point.database_files
    )
    if request.database_from is DatabaseSource.SNAPSHOT:
        if unusable:
            raise _refused(point, f"the database cannot come back from the snapshot: {unusable}", better)
        return DatabaseSource.SNAPSHOT, ""
    if unusable:
        raise _refused(point, f"{survey.backup_file}, and the snapshot cannot stand in for it: {unusable}", better)
    why = f"{survey.backup_file}; the snapshot of the database volume stands in for it, crash-consistent"
    return DatabaseSource.SNAPSHOT, f"{why} (as after a power cut)"


def not_to_be_kept(host: DatabaseHost, state: str, files: Sequence[DatabaseFile]) -> str:
    """Why nothing can bring back the database as it is, once it is overwritten; empty when something can.

    An online one is backed up, and where there is none, nothing is lost. Of any other there is only the snapshot of its
    volume, from which its files have to be found and attached; those of a half-restored one cannot be.

    Args:
        state: As sys.databases names it; empty when there is no such database.
        files: Where the database's files lie.
    """
    if state in ("", "ONLINE"):
        return ""
    if state not in ATTACHABLE:
        return f"it is {state}, so that it can neither be backed up nor be attached from its files"
    unknown = _files_not_found(host, files)
    return f"it is {state}, so that it cannot be backed up, and its snapshot is of no use: {unknown}" if unknown else ""


def _files_not_found(host: DatabaseHost, files: Sequence[DatabaseFile]) -> str:
    """Why the database's files cannot be found on the volume; empty when they can."""
    if host.mount is None:
        return "the register did not say where the database volume shows on its host (database.mount)"
    if not files:
        return "nobody has noted where the database's files lie"
    outside = [file.physical_path for file in files if not is_below(file.physical_path, host.mount)]
    return f"{outside[0]} does not lie on the database volume" if outside else ""


def host_of(tenant: Tenant, role: SnapshotRole) -> WebHost | DatabaseHost:
    """The host whose volume a snapshot of this role shows."""
    return tenant.web if role is SnapshotRole.WEB else tenant.database


def is_below(path: str, folder: str) -> bool:
    """True when `path` lies in `folder` or is it; of either platform."""
    return _pure(path).is_relative_to(_pure(folder))


def path_on_volume(file: DatabaseFile, host: DatabaseHost) -> str:
    """A database file's path as seen from the root of the volume it lies on, with forward slashes.

    Raises:
        ValueError: when it does not lie there; the plan has made sure that it does.
    """
    parts = PurePosixPath(file.physical_path.replace("\\", "/")).parts
    mount = PurePosixPath(str(host.mount).replace("\\", "/")).parts
    if not is_below(file.physical_path, str(host.mount)):
        raise ValueError(f"{file.physical_path} is not below {host.mount}")
    return "/".join(parts[len(mount) :])


def overlap(one: str, other: str) -> bool:
    """True when one of two folders lies in the other, or both are the same."""
    return is_below(one, other) or is_below(other, one)


def _is_windows(path: str) -> bool:
    return path[1:2] == ":" or path.startswith("\\")


def _pure(path: str) -> PurePosixPath:
    return PurePosixPath(path.replace("\\", "/").lower() if _is_windows(path) else path)


def _refused(point: Manifest, reason: str, todo: str) -> RefusedError:
    return RefusedError(
        f"Recovery point {point.id} of tenant {point.tenant} cannot be restored like this: {reason}.",
        why="Nothing was restored.",
        todo=todo,
    )
