"""Where each file of a restored database will lie, and whether there is room for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from include.rules.points.backup_files import DatabaseFile, FileType
from include.rules.points.manifest import Manifest
from include.rules.register.paths import is_below
from include.rules.restore.database_places import database_places, folders_to_try, places_left
from include.rules.restore.database_survey import DatabaseSurvey
from include.rules.restore.request import DatabaseSource


@dataclass(frozen=True)
class Room:
    """What is known of the room for a restored database.

    Attributes:
        lacking: A sentence for each volume that is too small.
        unknown: Why nobody knows of the others; empty when all is known.
    """

    lacking: tuple[str, ...] = ()
    unknown: str = ""


def expected_places(
    survey: DatabaseSurvey, manifest: Manifest, source: DatabaseSource, *, replaces: bool
) -> dict[str, tuple[str, int | None]]:
    """Where each file is going to lie, by its logical name, and its size in bytes (None: nobody has noted it).

    Empty when the server has not said where it puts new files, or the .bak not what is in it.
    """
    # From a snapshot the files are copied beside the standing ones.
    stays = replaces and source is DatabaseSource.BACKUP_FILE
    folders = folders_to_try((*(survey.home if replaces else ()), *survey.limits.folders), survey.gone)
    rows = _rows(survey, manifest, source)
    if not folders or not rows:
        return {}
    present = places_left({f.logical_name: f.physical_path for f in survey.files}, survey.gone) if stays else {}
    places = database_places(manifest.tenant, rows, present, (), folders[0])
    return {str(row["LogicalName"]): (places[str(row["LogicalName"])], _size(row)) for row in rows}


def judge_room(survey: DatabaseSurvey, places: Mapping[str, tuple[str, int | None]]) -> Room:
    """Hold what the files take against what is free, less what those take already that are overwritten."""
    if survey.free_bytes is None:
        return Room(unknown="the server does not say how much is free on its volumes")
    if not places or any(size is None for _, size in places.values()):
        return Room(unknown="nobody has noted how large the database's files are")
    there = {file.physical_path.casefold(): file.size_bytes or 0 for file in survey.files}
    needed: dict[str, int] = defaultdict(int)
    unknown = ""
    for path, size in places.values():
        mounts = [mount for mount in survey.free_bytes if is_below(path, mount)]
        if mounts:
            needed[max(mounts, key=len)] += max(0, (size or 0) - there.get(path.casefold(), 0))
        else:
            unknown = unknown or f"the server does not say how much is free where {path} will lie"
    lacking = tuple(
        f"the database needs {size:,} more bytes on {mount}, and {survey.free_bytes[mount]:,} are free"
        for mount, size in needed.items()
        if size > survey.free_bytes[mount]
    )
    return Room(lacking, unknown)


def _rows(survey: DatabaseSurvey, manifest: Manifest, source: DatabaseSource) -> list[dict[str, object]]:
    if source is DatabaseSource.BACKUP_FILE:
        files = survey.backup.files if survey.backup else ()
        return [_row(file.logical_name, file.physical_path, file.type, file.size_bytes) for file in files]
    return [file_row(file) for file in manifest.database_files]


def file_row(file: DatabaseFile) -> dict[str, object]:
    """A file of a manifest as RESTORE FILELISTONLY would list it."""
    kind = "L" if file.type is FileType.LOG else "D"
    return _row(file.logical_name, file.physical_path, kind, file.size_bytes)


def _row(logical_name: str, physical_path: str, kind: str, size: int | None) -> dict[str, object]:
    return {"LogicalName": logical_name, "PhysicalName": physical_path, "Type": kind, "Size": size}


def _size(row: Mapping[str, object]) -> int | None:
    return int(str(row["Size"])) if row["Size"] is not None else None
