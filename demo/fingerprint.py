"""What a tenant holds, in a form that can be compared: every file's bytes, mode and time, every table's rows."""

from __future__ import annotations

import hashlib
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymssql

from lab.seed.shop import connect_arguments
from lab.settings import LabSettings


@dataclass(frozen=True)
class FileMark:
    """One entry below the web folder: kind and mode bits, content (a hash, or a link's target), time in nanoseconds."""

    mode: int
    content: str
    modified: int


@dataclass(frozen=True)
class TableMark:
    """One table: its number of rows and SQL Server's CHECKSUM_AGG over them."""

    rows: int
    checksum: int


@dataclass(frozen=True)
class Fingerprint:
    """One tenant: its files by relative path, its tables by name."""

    files: dict[str, FileMark]
    tables: dict[str, TableMark]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())

    def differences(self, other: Fingerprint) -> list[str]:
        """What is missing in `other`, new in it, or changed; empty when both are the same."""
        return [
            *_differences("file", self.files, other.files),
            *_differences("table", self.tables, other.tables),
        ]


def fingerprint(settings: LabSettings, entry: dict[str, Any]) -> Fingerprint:
    """Look at one tenant; `entry` is the tenant's in the register."""
    return Fingerprint(file_marks(Path(entry["web"]["path"])), _tables(settings, entry["database"]["name"]))


def file_marks(folder: Path) -> dict[str, FileMark]:
    """Everything below a folder, by path relative to it."""
    return {str(path.relative_to(folder)): _file(path) for path in sorted(folder.rglob("*"))}


def _file(path: Path) -> FileMark:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return FileMark(status.st_mode, str(path.readlink()), status.st_mtime_ns)
    if stat.S_ISDIR(status.st_mode):
        return FileMark(status.st_mode, "folder", 0)  # its time says when its list of names changed, not its content
    return FileMark(status.st_mode, hashlib.sha256(path.read_bytes()).hexdigest(), status.st_mtime_ns)


def _tables(settings: LabSettings, database: str) -> dict[str, TableMark]:
    with pymssql.connect(database=database, **connect_arguments(settings)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT name FROM sys.tables ORDER BY name")
        names = [str(name) for (name,) in cursor.fetchall()]
        return {name: _table(cursor, name) for name in names}


def _table(cursor: Any, name: str) -> TableMark:
    cursor.execute(f"SELECT COUNT_BIG(*), CHECKSUM_AGG(BINARY_CHECKSUM(*)) FROM dbo.[{name}]")  # noqa: S608
    rows, checksum = cursor.fetchone()
    return TableMark(int(rows), int(checksum or 0))


def _differences(what: str, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    missing = [f"{what} {name} is missing" for name in before if name not in after]
    new = [f"{what} {name} is new" for name in after if name not in before]
    changed = [f"{what} {name} has changed" for name in before if name in after and before[name] != after[name]]
    return [*missing, *new, *changed]
