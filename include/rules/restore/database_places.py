"""Where the files of a restored database go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_LONGEST_PART = 60  # of a file's name: folder, database, logical name and number stay below Windows' 260 characters


def database_places(
    stem: str,
    files: Iterable[Mapping[str, Any]],
    present: Mapping[str, str],
    in_use: Iterable[str],
    data_folder: str,
    log_folder: str,
) -> dict[str, str]:
    """Where each logical file of a backup goes: to where the database has it now, else to a folder of the server's.

    A new file is named after what it is restored to, never after where the backup's database had it: that
    place may well be another tenant's, still in use.

    Args:
        stem: What new files are named after: the database, or something that only this restore has.
        files: Rows of RESTORE FILELISTONLY: LogicalName, PhysicalName, Type ("D" data, "L" log).
        present: Physical path by logical name, of the database as it is now; empty when there is none.
        in_use: Physical paths that are in use by other databases or for another reason not to be had.
        data_folder, log_folder: The server's own (SERVERPROPERTY InstanceDefaultDataPath, InstanceDefaultLogPath).
    """
    places: dict[str, str] = {}
    unavailable = {path.casefold() for path in (*in_use, *present.values())}
    for row in files:
        logical = row["LogicalName"]
        folder = log_folder if row["Type"] == "L" else data_folder
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
