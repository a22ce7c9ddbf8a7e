"""What is found before a restore touches anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from include.rules.errors import RefusedError
from include.rules.points.backup_files import DatabaseFile
from include.rules.points.manifest import Manifest
from include.rules.points.parts import SnapshotRole
from include.rules.restore.host_paths import pure


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
        return self.real != "" and pure(self.real) != pure(folder)


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


def not_restorable(manifest: Manifest, reason: str, todo: str) -> RefusedError:
    """The error that says why a recovery point cannot be restored like this, and what could be done instead."""
    return RefusedError(
        f"Recovery point {manifest.id} of tenant {manifest.tenant} cannot be restored like this: {reason}.",
        why="Nothing was restored.",
        todo=todo,
    )
