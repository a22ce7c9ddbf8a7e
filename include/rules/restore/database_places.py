"""Where the files of a restored database go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from include.rules.points.backup_files import DatabaseFile, FileType
from include.rules.points.manifest import Manifest
from include.rules.register.paths import folder_of, pure
from include.rules.register.tenants import Tenant

_LONGEST_PART = 60  # of a file's name: folder, database, logical name and number stay below Windows' 260 characters


@dataclass(frozen=True)
class Folders:
    """Where a server puts new files of a database: its data and its log."""

    data: str
    log: str


def home_folders(standing: Iterable[DatabaseFile], manifest: Manifest, target: Tenant) -> tuple[Folders, ...]:
    """Where what takes the place of a tenant's database belongs: on the volume that the register names, and not where
    the server would put any new database.

    Args:
        standing: The database's files as they are: new ones lie beside them. Where it is gone, they lie where it had
            them at the backup, if that was on the same server.
        manifest: The recovery point that comes back.
    """
    then, now = manifest.source.database, target.database
    same = (then.connection, then.instance, then.mount) == (now.connection, now.instance, now.mount)
    return folders_of(standing) or (folders_of(manifest.database_files) if same else ())


def folders_of(files: Iterable[DatabaseFile]) -> tuple[Folders, ...]:
    """The folders of a database's data and log; empty when it has no files."""
    by_type = {file.type: folder_of(file.physical_path) for file in reversed(list(files))}
    data = by_type.get(FileType.ROWS)
    return (Folders(data, by_type.get(FileType.LOG, data)),) if data else ()


def folders_to_try(choices: Iterable[Folders], gone: Iterable[str]) -> list[Folders]:
    """The folders that new files may go to, the best ones first; those that are known to be gone only as the last.

    Args:
        choices: Those of the database that is replaced, the server's own for new databases, then those of its system
            databases.
        gone: Folders that are known not to be there.
    """
    missing = {pure(folder) for folder in gone}
    return sorted(dict.fromkeys(choices), key=lambda folders: bool({pure(folders.data), pure(folders.log)} & missing))


def off_all_drives(folders: Iterable[str], drives: Iterable[str], known: str) -> set[str]:
    """Those folders of a Windows server whose drive is not among its drives.

    Args:
        drives: All of the server's fixed drives; empty when it does not say.
        known: A folder that is certainly there: where no drive has it, the list says nothing.
    """
    letters = {folder: folder[:2].lower() for folder in (*folders, known) if folder[1:2] == ":"}
    there = {drive[:2].lower() for drive in drives}
    if letters.get(known) not in there:
        return set()
    return {folder for folder, letter in letters.items() if letter not in there}


def places_left(present: Mapping[str, str], gone: Iterable[str]) -> dict[str, str]:
    """Of the places that a database's files have, by logical name, those whose folder is not known to be gone."""
    missing = {pure(folder) for folder in gone}
    return {logical: path for logical, path in present.items() if pure(folder_of(path)) not in missing}


def database_places(
    stem: str,
    files: Iterable[Mapping[str, Any]],
    present: Mapping[str, str],
    in_use: Iterable[str],
    folders: Folders,
) -> dict[str, str]:
    """Where each logical file of a backup goes: to where the database has it now, else to a folder of the server's.

    A new file is named after what it is restored to, never after where the backup's database had it: that
    place may well be another tenant's, still in use.

    Args:
        stem: What new files are named after: something that only this restore has. WITH REPLACE the server overwrites
            whatever lies there, also what belongs to no database and is wanted still.
        files: Rows of RESTORE FILELISTONLY: LogicalName, PhysicalName, Type ("D" data, "L" log).
        present: Physical path by logical name, of the database as it is now; empty when there is none.
        in_use: Physical paths that are in use by other databases or for another reason not to be had.
    """
    places: dict[str, str] = {}
    unavailable = {path.casefold() for path in (*in_use, *present.values())}
    for row in files:
        logical = row["LogicalName"]
        folder = folders.log if row["Type"] == "L" else folders.data
        suffix = re.search(r"\.\w{1,5}$", row["PhysicalName"])
        name = f"{_safe(stem)}_{_safe(logical)}"
        places[logical] = present.get(logical) or _free(folder, name, suffix[0] if suffix else "", unavailable)
        unavailable.add(places[logical].casefold())
    return places


def named_after(stem: str, paths: Iterable[str]) -> bool:
    """True when all of these files, at least one, are new ones of that `stem`: whoever chose it has made them."""
    names = [re.split(r"[/\\]", path)[-1] for path in paths]
    return bool(names) and all(name.casefold().startswith(f"{_safe(stem)}_".casefold()) for name in names)


def _safe(name: str) -> str:
    """A name as part of a file's name on any platform."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", name)[:_LONGEST_PART]


def _free(folder: str, name: str, suffix: str, unavailable: set[str]) -> str:
    separator = "\\" if "\\" in folder else "/"
    path, number = f"{folder.rstrip(separator)}{separator}{name}{suffix}", 1
    while path.casefold() in unavailable:
        number += 1
        path = f"{folder.rstrip(separator)}{separator}{name}_{number}{suffix}"
    return path
