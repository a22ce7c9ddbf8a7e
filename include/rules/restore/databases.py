"""Which database a restore may write to, what it comes back from, and whether the one that is there can be kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from include.rules.errors import RefusedError
from include.rules.points.backup_files import DatabaseFile, FileType
from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotRole
from include.rules.register.paths import is_below
from include.rules.register.tenants import DatabaseHost, Tenant
from include.rules.restore.request import DatabaseSource, RestoreRequest
from include.rules.restore.survey import Survey, not_restorable

ATTACHABLE = frozenset({"OFFLINE", "SUSPECT", "RECOVERY_PENDING", "RECOVERING", "EMERGENCY"})
"""States of a database (sys.databases) whose files are at least what a power cut would have left."""


def check_database_name(
    request: RestoreRequest, target: Tenant, database: str, survey: Survey, others: Mapping[str, Tenant]
) -> None:
    """Refuse another name that is not free; under its own name the database is overwritten.

    Raises:
        RefusedError: with whose name it is.
    """
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
    if survey.database.state:
        raise RefusedError(
            f"There is a database {database} on {target.database.connection} already ({survey.database.state}).",
            why="A restore under another name never overwrites; nothing was restored.",
            todo="Choose a name that is free, or drop that database first.",
        )


def database_source(
    request: RestoreRequest, manifest: Manifest, survey: Survey, suggestion: str
) -> tuple[DatabaseSource, str]:
    """What the database is brought back from, and why that has to be approved (empty when it need not be).

    Args:
        suggestion: A sentence that names the nearest other recovery point.

    Raises:
        RefusedError: when neither what was asked for nor its stand-in can be used; the message says why.
    """
    if request.database_from is DatabaseSource.BACKUP_FILE and not survey.database.backup_file:
        return DatabaseSource.BACKUP_FILE, ""
    unusable = survey.host.snapshots.get(SnapshotRole.DATABASE) or _files_not_found(
        manifest.source.database, manifest.database_files
    )
    if request.database_from is DatabaseSource.SNAPSHOT:
        if unusable:
            raise not_restorable(manifest, f"the database cannot come back from the snapshot: {unusable}", suggestion)
        return DatabaseSource.SNAPSHOT, ""
    if unusable:
        raise not_restorable(
            manifest, f"{survey.database.backup_file}, and the snapshot cannot stand in for it: {unusable}", suggestion
        )
    why = f"{survey.database.backup_file}; the snapshot of the database volume stands in for it, crash-consistent"
    return DatabaseSource.SNAPSHOT, f"{why} (as after a power cut)"


def why_unsavable(host: DatabaseHost, state: str, files: Sequence[DatabaseFile]) -> str:
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
    """Why the database's files cannot be taken from a snapshot of the volume; empty when they can."""
    if host.mount is None:
        return "the register did not say where the database volume shows on its host (database.mount)"
    if not files:
        return "nobody has noted where the database's files lie"
    containers = [file.physical_path for file in files if file.type is FileType.FILESTREAM]
    if containers:
        return f"{containers[0]} is a folder (FILESTREAM or memory-optimised data), and only files are copied from it"
    outside = [file.physical_path for file in files if not is_below(file.physical_path, host.mount)]
    return f"{outside[0]} does not lie on the database volume" if outside else ""
