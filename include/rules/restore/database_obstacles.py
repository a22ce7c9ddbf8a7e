"""What keeps a server from taking a database back: known before the site goes offline, and refused there."""

from __future__ import annotations

from collections.abc import Iterator

from include.rules.errors import RefusedError
from include.rules.points.backup_files import FileType
from include.rules.points.manifest import Manifest
from include.rules.register.tenants import Tenant
from include.rules.restore.database_room import expected_places, judge_room
from include.rules.restore.database_survey import BackupFacts, DatabaseSurvey, Need, ServerLimits
from include.rules.restore.request import DatabaseSource

EXPRESS = 4
"""SERVERPROPERTY('EngineEdition') of the edition that limits the size of a database."""

GIB = 2**30

Obstacle = tuple[str, str]
"""What is in the way, as the end of a sentence, and what to do about it."""


def check_obstacles(
    survey: DatabaseSurvey,
    manifest: Manifest,
    target: Tenant,
    database: str,
    source: DatabaseSource,
    *,
    replaces: bool,
) -> None:
    """Refuse what the server would refuse, or could not hold.

    Args:
        database: The name under which it comes back.
        replaces: True when the target's own is overwritten.

    Raises:
        RefusedError: with everything that is in the way.
    """
    obstacles = [
        *_missing_rights(survey, source, replaces=replaces),
        *(_ties(survey, database, source) if replaces and survey.state else ()),
        *(_unfit(survey.limits, survey.backup) if source is DatabaseSource.BACKUP_FILE and survey.backup else ()),
        *_too_large(survey, manifest, source),
        *_no_room(survey, manifest, source, replaces=replaces),
    ]
    if obstacles:
        raise RefusedError(
            f"Database {database} of tenant {target.id} cannot be restored on {target.database.connection}: "
            f"{'; '.join(reason for reason, _ in obstacles)}.",
            why="SQL Server would refuse it after the site was taken offline; nothing was restored.",
            todo=" ".join(dict.fromkeys(todo for _, todo in obstacles)),
        )


def describe_unknowns(
    survey: DatabaseSurvey, manifest: Manifest, database: str, source: DatabaseSource, *, replaces: bool
) -> list[str]:
    """Sentences for a preview: what will be other than before, and what nobody could find out."""
    places = expected_places(survey, manifest, source, replaces=replaces)
    sentences = [
        f"The folder of {file.physical_path} is gone: the file will lie in {places[file.logical_name][0]}."
        for file in survey.files
        if replaces
        and file.logical_name in places
        and file.physical_path != places[file.logical_name][0]
        and source is DatabaseSource.BACKUP_FILE
    ]
    if survey.ties.is_published and replaces:
        sentences.append(f"Database {database} is published: its replication ends with the restore; set it up again.")
    if survey.ties.is_read_only and replaces:
        sentences.append(f"Database {database} is read-only now; afterwards it is what the backup says.")
    if source is DatabaseSource.BACKUP_FILE and _has_container(survey.backup) and not survey.limits.takes_filestream:
        sentences.append("The .bak has a container of FILESTREAM or memory-optimised data: FILESTREAM is off here.")
    if unknown := judge_room(survey, places).unknown:
        sentences.append(f"Whether there is room for the database was not found out: {unknown}.")
    return sentences


def needs(survey: DatabaseSurvey, source: DatabaseSource, *, replaces: bool) -> list[Need]:
    """What the login has to be allowed to do."""
    if not (replaces and survey.state):
        return [Need.CREATE]
    own = [Need.RESTORE_OVER] if source is DatabaseSource.BACKUP_FILE else [Need.CREATE, Need.REPLACE]
    return [*own, *([Need.PUT_OUT] if survey.access == "SINGLE_USER" else [])]


def _missing_rights(survey: DatabaseSurvey, source: DatabaseSource, *, replaces: bool) -> Iterator[Obstacle]:
    for need in needs(survey, source, replaces=replaces):
        if need in survey.lacks:
            yield f"the connection's login may not {need}", f"Run {survey.lacks[need]}."


def _ties(survey: DatabaseSurvey, database: str, source: DatabaseSource) -> Iterator[Obstacle]:
    ties = survey.ties
    if ties.in_group:
        todo = "Take it out of the group (ALTER AVAILABILITY GROUP ... REMOVE DATABASE) on its primary first."
        yield f"{database} is in an availability group", todo
    if ties.is_mirrored:
        yield f"{database} is mirrored", "End the mirroring (ALTER DATABASE ... SET PARTNER OFF) first."
    if ties.snapshots:
        names = ", ".join(ties.snapshots)
        yield f"database snapshots refer to {database} ({names})", f"Drop the database snapshots first: {names}."
    if ties.is_published and source is DatabaseSource.SNAPSHOT:
        yield f"{database} is published and cannot be dropped", "End its replication first (sp_replicationdboption)."


def _unfit(server: ServerLimits, backup: BackupFacts) -> Iterator[Obstacle]:
    """What of a .bak a server cannot take."""
    if is_too_new(backup, server):
        versions = f"the .bak was made by SQL Server {backup.version}, this one is {server.version}"
        todo = f"Restore it on a server of version {backup.version} or later."
        yield f"{versions}, and no server restores a backup of a newer one", todo
    if _has_container(backup) and not (server.takes_filestream or server.takes_memory_optimised):
        todo = "Enable FILESTREAM on the server, or restore on one that has it."
        yield "the .bak has FILESTREAM or memory-optimised data, and this server takes neither", todo


def _too_large(survey: DatabaseSurvey, manifest: Manifest, source: DatabaseSource) -> Iterator[Obstacle]:
    """Whether an edition that limits databases holds this one: as it is in the .bak, or in the snapshot."""
    server, files = survey.limits, [(file.type is FileType.ROWS, file.size_bytes) for file in manifest.database_files]
    if source is DatabaseSource.BACKUP_FILE:
        files = [(file.type == "D", file.size_bytes) for file in survey.backup.files] if survey.backup else []
    data = sum(size or 0 for is_data, size in files if is_data)
    most = (50 if server.version.startswith("17.") else 10) * GIB
    if server.edition == EXPRESS and data > most:
        todo = "Restore it on a server of another edition."
        yield f"its data files have {data:,} bytes, and this server's edition (Express) holds {most:,}", todo


def is_too_new(backup: BackupFacts, server: ServerLimits) -> bool:
    """True when the backup's database has a newer format than the server knows."""
    return 0 < server.database_version < backup.database_version


def _has_container(backup: BackupFacts | None) -> bool:
    return backup is not None and any(file.type == "S" for file in backup.files)


def _no_room(
    survey: DatabaseSurvey, manifest: Manifest, source: DatabaseSource, *, replaces: bool
) -> Iterator[Obstacle]:
    room = judge_room(survey, expected_places(survey, manifest, source, replaces=replaces))
    for sentence in room.lacking:
        yield sentence, "Make room there, or let the server put new databases elsewhere."
