"""What is found of hosts, folders and snapshots before a restore touches anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from include.rules.points.parts import SnapshotRole
from include.rules.register.paths import pure


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
class HostSurvey:
    """What was found of the hosts and of what AWS holds.

    Attributes:
        folder: Of the folder the files go to; None when no files do.
        snapshots: Why a snapshot cannot be used, by role; those that can are not in it.
    """

    folder: FolderFacts | None = None
    snapshots: Mapping[SnapshotRole, str] = field(default_factory=dict)
